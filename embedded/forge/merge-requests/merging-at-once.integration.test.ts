import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type ReviewWorld, reviewWorld } from "../testing/review-world.ts";

let world: ReviewWorld;
let project: string;
let gitDir: string;

beforeAll(async () => {
  world = await reviewWorld();
  ({ project } = world);
  const { id } = await world.as("ada").Projects.show(project);
  gitDir = join(world.folder, "data/repositories", `${id}.git`);
});

afterAll(() => world.end());

const show = (iid: number) => world.as("dev").MergeRequests.show(project, iid);
const merge = (iid: number) => world.api("dev", "PUT", `projects/plant%2Ftank/merge_requests/${iid}/merge`);

test("merges asked for at the same time all land, one after another", async () => {
  const iids: number[] = [];
  for (const name of ["a", "b", "c", "d"]) {
    await world.change(name, { [`${name}.txt`]: name });
    iids.push((await world.as("dev").MergeRequests.create(project, name, "main", name)).iid);
  }
  const answers = await Promise.all([...iids, ...iids].map(merge));
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 405, 405, 405, 405]);
  const tree = await world.as("dev").Repositories.allRepositoryTrees(project, { ref: "main" });
  expect(tree.map((each) => each.name)).toEqual(expect.arrayContaining(["a.txt", "b.txt", "c.txt", "d.txt"]));
  await world.git(world.main, "fetch", "--quiet", "origin");
  const merges = await world.git(
    world.main,
    "rev-list",
    "--first-parent",
    "--merges",
    "--count",
    "origin/main",
  );
  expect(merges).toBe("4");
});

test("of two that change the same line one lands, the other has a conflict", async () => {
  const iids: number[] = [];
  for (const speed of [3, 4]) {
    await world.change(`speed-${speed}`, { "dt.yaml": `name: tank\nspeed: ${speed}\n` });
    iids.push((await world.as("dev").MergeRequests.create(project, `speed-${speed}`, "main", "x")).iid);
  }
  const answers = await Promise.all(iids.map(merge));
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 405]);
  const left = iids[answers.findIndex(({ status }) => status === 405)] ?? 0;
  expect(await show(left)).toMatchObject({ state: "opened", detailed_merge_status: "conflict" });
});

test("twenty pushes in a row make versions in their order, and the last one counts", async () => {
  const heads = [await world.change("busy", { "busy.txt": "0" })];
  const { iid } = await world.as("dev").MergeRequests.create(project, "busy", "main", "Busy");
  for (let turn = 1; turn < 20; turn++) heads.push(await world.change("busy", { "busy.txt": String(turn) }));
  await vi.waitFor(async () => expect((await show(iid)).sha).toBe(heads.at(-1)), { timeout: 20_000 });
  const versions = await world
    .as("dev")
    .MergeRequests.allDiffVersions(project, iid, { perPage: 100 } as never);
  const made = versions.map((each) => String(each.head_commit_sha)).reverse();
  expect(made.at(-1)).toBe(heads.at(-1));
  expect(made).toEqual(heads.filter((head) => made.includes(head)));
  expect(await show(iid)).toMatchObject({ detailed_merge_status: "mergeable" });
});

test("a push and a merge whose notes a crash cut off are caught up with", async () => {
  await world.change("cut", { "cut.txt": "1" });
  await world.change("done", { "done.txt": "1" });
  const cut = await world.as("dev").MergeRequests.create(project, "cut", "main", "Cut");
  const done = await world.as("dev").MergeRequests.create(project, "done", "main", "Done");
  const merged = await world.git(world.main, "ls-remote", "origin", `refs/merge-requests/${done.iid}/merge`);
  await world.forge.close();
  // As a kill right after git moved the branches leaves it.
  const tree = await world.git(gitDir, "rev-parse", "main^{tree}");
  const next = await world.git(gitDir, "commit-tree", "-p", "cut", "-m", "next", tree);
  await world.git(gitDir, "update-ref", "refs/heads/cut", next);
  await world.git(gitDir, "update-ref", "refs/heads/main", merged.slice(0, 40));
  await world.restart();
  expect(await show(cut.iid)).toMatchObject({ state: "opened", sha: next });
  expect(await world.as("dev").MergeRequests.allDiffVersions(project, cut.iid)).toHaveLength(2);
  expect(await show(done.iid)).toMatchObject({ state: "merged" });
});
