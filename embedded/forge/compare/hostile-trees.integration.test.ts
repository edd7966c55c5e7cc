import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ReviewWorld, reviewWorld } from "../testing/review-world.ts";

let world: ReviewWorld;
let project: string;
let bomb: string;

beforeAll(async () => {
  world = await reviewWorld();
  ({ project } = world);
  // Ten trees of ten trees of ten trees ...: ten thousand million files in a kilobyte.
  const makeTree = (entries: string) =>
    execFileSync("git", ["mktree"], { cwd: world.main, input: entries, encoding: "utf8" }).trim();
  const tenOf = (kind: string, id: string) =>
    makeTree(Array.from({ length: 10 }, (_, index) => `${kind} ${id}\t${index}\n`).join(""));
  const blob = await world.git(world.main, "rev-parse", "HEAD:readme.md");
  let tree = tenOf("100644 blob", blob);
  for (let depth = 1; depth < 10; depth++) tree = tenOf("040000 tree", tree);
  const kept = await world.git(world.main, "ls-tree", "HEAD");
  const top = makeTree(`${kept}\n040000 tree ${tree}\tbomb\n`);
  bomb = await world.git(world.main, "commit-tree", "-m", "bomb", "-p", "HEAD", top);
  await world.git(world.main, "push", "--quiet", "origin", `${bomb}:refs/heads/bomb`);
});

afterAll(() => world.end());

const get = (path: string) => world.api("dev", "GET", `projects/plant%2Ftank/${path}`);

test("trees that name ten thousand million files are compared without naming them", async () => {
  expect(await get("repository/compare?from=main&to=bomb")).toMatchObject({
    status: 200,
    body: { diffs: [], compare_timeout: true, commits: [{ id: bomb }] },
  });
  expect(await get(`repository/commits/${bomb}/diff`)).toEqual({ status: 200, body: [] });
  expect(await get(`repository/commits/${bomb}`)).toMatchObject({ body: { id: bomb, stats: { total: 0 } } });
});

test("a merge request of them is opened, tells no files, and takes notes without lines only", async () => {
  const dev = world.as("dev");
  const made = await dev.MergeRequests.create(project, "bomb", "main", "Bomb");
  expect(made).toMatchObject({ changes_count: "1000+" });
  expect(await dev.MergeRequests.allDiffs(project, made.iid)).toEqual([]);
  expect(await dev.MergeRequestNotes.create(project, made.iid, "No")).toMatchObject({ body: "No" });
  const refs = made.diff_refs as unknown as Record<string, string>;
  const position = { ...refs, position_type: "text", old_path: "bomb", new_path: "bomb", new_line: 1 };
  const path = `projects/plant%2Ftank/merge_requests/${made.iid}/discussions`;
  expect((await world.api("dev", "POST", path, { body: "x", position })).status).toBe(400);
});

test("a large file that changed is bytes, and the files beside it are told", async () => {
  await writeFile(join(world.main, "large.csv"), "0123456789\n".repeat(500_000));
  const before = await world.change("large", { "small.txt": "1\n" });
  await writeFile(join(world.main, "large.csv"), "0123456789\n".repeat(500_001));
  const after = await world.change("large", { "small.txt": "2\n" });
  const { body } = await get(`repository/compare?from=${before}&to=${after}`);
  expect(body).toMatchObject({
    compare_timeout: false,
    diffs: [
      { new_path: "large.csv", diff: expect.stringContaining("+0123456789") },
      { new_path: "small.txt", diff: "@@ -1 +1 @@\n-1\n+2\n" },
    ],
  });
});

test("of more files than three thousand the first are told, and that there are more", async () => {
  const files = Object.fromEntries(Array.from({ length: 3_050 }, (_, index) => [`f${index}.txt`, "x\n"]));
  const id = await world.change("many", files);
  const { body } = await get(`repository/compare?from=main&to=${id}`);
  expect(body).toMatchObject({ compare_timeout: true });
  expect((body as { diffs: unknown[] }).diffs).toHaveLength(3_000);
  const made = await world.as("dev").MergeRequests.create(project, "many", "main", "Many");
  expect(made).toMatchObject({ changes_count: "1000+", detailed_merge_status: "mergeable" });
});
