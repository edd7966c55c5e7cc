import { afterAll, beforeAll, expect, test } from "vitest";
import { rejection } from "../testing/rejection.ts";
import { type ReviewWorld, reviewWorld } from "../testing/review-world.ts";

let world: ReviewWorld;
let project: string;

beforeAll(async () => {
  world = await reviewWorld();
  ({ project } = world);
});

afterAll(() => world.end());

const pick = (by: string, sha: string, kind: "revert" | "cherry_pick", body: object) =>
  world.api(by, "POST", `projects/plant%2Ftank/repository/commits/${sha}/${kind}`, body);

test("a commit is taken back, and once more is empty", async () => {
  const dev = world.as("dev");
  const id = await world.change("main", { "wrong.txt": "1\n" }, "add wrong.txt");
  expect(await pick("dev", id, "revert", { branch: "main", dry_run: true })).toEqual({
    status: 200,
    body: { dry_run: "success" },
  });
  const reverted = await dev.Commits.revert(project, id, "main");
  expect(reverted).toMatchObject({
    title: 'Revert "add wrong.txt"',
    message: `Revert "add wrong.txt"\n\nThis reverts commit ${id}\n`,
    author_name: "Dev",
    parent_ids: [id],
  });
  expect(await rejection(dev.RepositoryFiles.show(project, "wrong.txt", "main"))).toMatch(/^404/);
  expect(await pick("dev", id, "revert", { branch: "main" })).toMatchObject({
    status: 400,
    body: { error_code: "empty" },
  });
});

test("a commit is picked onto another branch with its author, and what does not fit is a conflict", async () => {
  const dev = world.as("dev");
  await dev.Branches.create(project, "stable", "main");
  const id = await world.change("main", { "picked.txt": "1\n" }, "add picked.txt");
  const picked = await dev.Commits.cherryPick(project, id, "stable");
  expect(picked).toMatchObject({ author_name: "Ada", committer_name: "Dev", title: "add picked.txt" });
  expect(picked.message).toContain(`(cherry picked from commit ${id})`);
  const changed = await world.change("main", { "picked.txt": "2\n" });
  await world.change("stable", { "picked.txt": "3\n" });
  expect(await pick("dev", changed, "cherry_pick", { branch: "stable" })).toMatchObject({
    status: 400,
    body: { error_code: "conflict" },
  });
});

test("what a merge brought is taken back as a whole", async () => {
  const dev = world.as("dev");
  await world.change("feature", { "one.txt": "1\n" });
  await world.change("feature", { "two.txt": "2\n" });
  const { iid } = await dev.MergeRequests.create(project, "feature", "main", "Feature");
  const { merge_commit_sha: merge } = await dev.MergeRequests.merge(project, iid);
  await dev.Commits.revert(project, String(merge), "main");
  expect(await rejection(dev.RepositoryFiles.show(project, "one.txt", "main"))).toMatch(/^404/);
  expect(await rejection(dev.RepositoryFiles.show(project, "two.txt", "main"))).toMatch(/^404/);
});

test("it takes the right to push, a branch that is there, and a commit", async () => {
  const { id } = await world.as("dev").Commits.show(project, "main");
  expect((await pick("rita", id, "revert", { branch: "main" })).status).toBe(403);
  expect((await pick("dev", id, "revert", { branch: "nowhere" })).status).toBe(404);
  expect((await pick("dev", "1".repeat(40), "revert", { branch: "main" })).status).toBe(404);
  expect((await pick("dev", id, "revert", {})).status).toBe(400);
  await world.as("ada").ProtectedBranches.create(project, "guarded", { pushAccessLevel: 40 });
  await world.as("ada").Branches.create(project, "guarded", "main");
  expect((await pick("dev", id, "revert", { branch: "guarded" })).status).toBe(403);
});
