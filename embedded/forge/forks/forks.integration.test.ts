import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { rejection } from "../testing/rejection.ts";
import { type ReviewWorld, reviewWorld } from "../testing/review-world.ts";

let world: ReviewWorld;
let project: string;

beforeAll(async () => {
  world = await reviewWorld({ project: "plant/open", visibility: "public" });
  ({ project } = world);
});

afterAll(() => world.end());

test("an outsider forks what they can read, changes it there and proposes the change", async () => {
  const olga = world.as("olga");
  const dev = world.as("dev");
  const target = await dev.Projects.show(project);
  const fork = await olga.Projects.fork(project);
  expect(fork).toMatchObject({
    path_with_namespace: "olga/open",
    visibility: "public",
    import_status: "finished",
    empty_repo: false,
    forked_from_project: { path_with_namespace: project },
  });
  expect((await olga.Projects.allForks(project)).map((each) => each.id)).toEqual([fork.id]);
  expect(await rejection(olga.Projects.fork(project))).toMatch(/^409 .*taken/);
  const clone = await world.clone("olga/open", "olga", "glpat-olga");
  await world.git(clone, "switch", "--quiet", "-c", "idea");
  const head = await world.push(clone, "idea.txt", "1\n");
  expect(await rejection(olga.MergeRequests.create(project, "idea", "main", "x"))).toMatch(/^403/);
  const made = await olga.MergeRequests.create(fork.id, "idea", "main", "Idea", {
    targetProjectId: target.id,
    labels: "ignored",
  });
  expect(made).toMatchObject({
    iid: 1,
    project_id: target.id,
    source_project_id: fork.id,
    target_project_id: target.id,
    sha: head,
    detailed_merge_status: "mergeable",
    labels: [],
    user: { can_merge: false },
  });
  await world.git(world.main, "fetch", "--quiet", "origin", "refs/merge-requests/1/head");
  expect(await world.git(world.main, "rev-parse", "FETCH_HEAD")).toBe(head);
  expect(await olga.MergeRequests.edit(project, 1, { title: "A good idea" })).toMatchObject({
    title: "A good idea",
  });
  expect(await olga.MergeRequestNotes.create(project, 1, "Please")).toMatchObject({
    author: { username: "olga" },
  });
  expect(await rejection(olga.MergeRequests.merge(project, 1))).toMatch(/^401/);
  const next = await world.push(clone, "idea.txt", "2\n");
  await vi.waitFor(async () => expect((await dev.MergeRequests.show(project, 1)).sha).toBe(next), {
    timeout: 10_000,
  });
  await dev.MergeRequests.merge(project, 1, { sha: next });
  expect(await dev.RepositoryFiles.showRaw(project, "idea.txt", "main")).toBe("2\n");
  expect(await world.git(clone, "ls-remote", "origin", "refs/heads/idea")).toContain(next);
});

test("a fork goes on alone, and its merge requests stay where they are", async () => {
  const olga = world.as("olga");
  const target = await olga.Projects.show(project);
  const clone = await world.clone("olga/open", "olga", "glpat-olga");
  await world.git(clone, "switch", "--quiet", "-c", "late");
  await world.push(clone, "late.txt", "1\n");
  const { iid } = await olga.MergeRequests.create("olga/open", "late", "main", "Late", {
    targetProjectId: target.id,
  });
  await olga.Projects.remove("olga/open");
  expect(await olga.MergeRequests.show(project, iid)).toMatchObject({
    state: "opened",
    detailed_merge_status: "commits_status",
  });
  expect(await olga.MergeRequests.allDiffs(project, iid)).toMatchObject([{ new_path: "late.txt" }]);
});

test("what has nothing to do with a project cannot be merged into it, and a private one not be forked unseen", async () => {
  const olga = world.as("olga");
  await olga.Projects.create({ name: "other", initializeWithReadme: true });
  await world.forge.admin.ensureProject("plant/secret");
  const { id } = await olga.Projects.show(project);
  await olga.Branches.create("olga/other", "side", "main");
  expect(
    await rejection(olga.MergeRequests.create("olga/other", "side", "main", "x", { targetProjectId: id })),
  ).toMatch(/^422 .*not a fork/);
  expect(await rejection(olga.Projects.fork("plant/secret"))).toMatch(/^404/);
  expect(await rejection(olga.Projects.fork(project, { namespacePath: "plant" }))).toMatch(/^404/);
});

test("a fork with conflicts is rebased by its owner", async () => {
  const olga = world.as("olga");
  await olga.Projects.fork(project, { path: "again" });
  const target = await olga.Projects.show(project);
  const clone = await world.clone("olga/again", "olga", "glpat-olga");
  await world.git(clone, "switch", "--quiet", "-c", "behind");
  await world.push(clone, "behind.txt", "1\n");
  await world.change("main", { "ahead.txt": "1\n" });
  const { iid, sha } = await olga.MergeRequests.create("olga/again", "behind", "main", "Behind", {
    targetProjectId: target.id,
  });
  expect(await rejection(world.as("dev").MergeRequests.rebase(project, iid))).toMatch(/^403/);
  await olga.MergeRequests.rebase(project, iid);
  await vi.waitFor(async () => expect((await olga.MergeRequests.show(project, iid)).sha).not.toBe(sha), {
    timeout: 10_000,
  });
  expect(await olga.Branches.show("olga/again", "behind")).toMatchObject({
    commit: { id: (await olga.MergeRequests.show(project, iid)).sha },
  });
});
