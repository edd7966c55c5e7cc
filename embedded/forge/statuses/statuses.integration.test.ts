import { Gitlab } from "@gitbeaker/rest";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type ForgeWorld, forgeWorld } from "../testing/forge-world.ts";
import { rejection } from "../testing/rejection.ts";

const project = "dtaas/ada";
let world: ForgeWorld;
let bot: InstanceType<typeof Gitlab>;
let other: InstanceType<typeof Gitlab>;
let reader: InstanceType<typeof Gitlab>;
let clone: string;
let commit: string;
let commits = 0;

beforeAll(async () => {
  world = await forgeWorld();
  const people = [
    ["bot", 40],
    ["other", 30],
    ["reader", 20],
  ] as const;
  await world.forge.admin.seed({
    users: [
      { username: "root", name: "Administrator", admin: true },
      ...people.map(([username]) => ({ username, name: username })),
    ],
    projects: [{ path: project }],
    members: people.map(([username, accessLevel]) => ({ path: project, username, accessLevel })),
    tokens: people.map(([username]) => ({
      username,
      name: "t",
      scopes: ["api"],
      value: `glpat-${username}`,
    })),
  });
  const as = (token: string) => new Gitlab({ host: world.forge.url, token });
  [bot, other, reader] = [as("glpat-bot"), as("glpat-other"), as("glpat-reader")];
  clone = await world.clone(project, "bot", "glpat-bot");
});

beforeEach(async () => {
  commits += 1;
  commit = await world.push(clone, "file.txt", String(commits));
});

afterAll(() => world.end());

test("a status makes an external pipeline on the branch that holds the commit", async () => {
  const status = await bot.Commits.editStatus(project, commit, "pending", {
    name: "dtaas/tank",
    description: "waiting",
    targetUrl: "http://127.0.0.1:4000/runs/1",
  });
  expect(status).toMatchObject({
    sha: commit,
    ref: "main",
    status: "pending",
    name: "dtaas/tank",
    description: "waiting",
    target_url: "http://127.0.0.1:4000/runs/1",
    allow_failure: false,
    author: { username: "bot" },
  });
  expect(await bot.Commits.show(project, commit)).toMatchObject({
    status: "pending",
    last_pipeline: { source: "external", ref: "main", status: "pending" },
  });
});

test("a running status of the same name moves on, a finished one is hidden by a new one", async () => {
  const set = (state: "pending" | "running" | "success" | "failed") =>
    bot.Commits.editStatus(project, commit, state, { name: "dtaas/tank", ref: "main" });
  const first = await set("pending");
  expect(await set("running")).toMatchObject({ id: first.id, started_at: expect.any(String) });
  expect(await set("failed")).toMatchObject({ id: first.id, finished_at: expect.any(String) });
  const second = await set("success");
  expect(second.id).toBeGreaterThan(first.id);
  expect(await bot.Commits.allStatuses(project, commit)).toMatchObject([
    { id: second.id, status: "success" },
  ]);
  expect(await bot.Commits.allStatuses(project, commit, { all: true })).toHaveLength(2);
  expect((await bot.Commits.show(project, commit)).status).toBe("success");
});

test("a way back is refused in GitLab's words and changes nothing", async () => {
  const set = (state: "pending" | "running", description: string) =>
    bot.Commits.editStatus(project, commit, state, { name: "dtaas/tank", description });
  await set("running", "one");
  expect(await rejection(set("pending", "two"))).toBe(
    '400 Cannot transition status via :enqueue from :running (Reason(s): Status cannot transition via "enqueue")',
  );
  expect(await rejection(set("running", "two"))).toMatch(
    /^400 Cannot transition status via :run from :running/,
  );
  expect(await bot.Commits.allStatuses(project, commit)).toMatchObject([{ description: "one" }]);
});

test("a status of the same name by somebody else is another one", async () => {
  const mine = await bot.Commits.editStatus(project, commit, "running", { name: "check" });
  const theirs = await other.Commits.editStatus(project, commit, "running", { name: "check" });
  expect(theirs.id).not.toBe(mine.id);
  expect(theirs["pipeline_id"]).toBe(mine["pipeline_id"]);
});

test("another ref has a pipeline of its own", async () => {
  await world.git(clone, "push", "--quiet", "origin", "HEAD:refs/heads/side");
  const main = await bot.Commits.editStatus(project, commit, "success", { name: "a", ref: "main" });
  const side = await bot.Commits.editStatus(project, commit, "failed", { name: "a", ref: "side" });
  expect(side["pipeline_id"]).not.toBe(main["pipeline_id"]);
  expect(await bot.Commits.allStatuses(project, commit, { ref: "side" })).toMatchObject([
    { status: "failed" },
  ]);
  await world.git(clone, "push", "--quiet", "origin", ":side");
});

test("many statuses at once on one commit all count", async () => {
  const names = Array.from({ length: 20 }, (_, index) => `dtaas/twin-${index}`);
  await Promise.all(names.map((name) => bot.Commits.editStatus(project, commit, "success", { name })));
  const listed = await bot.Commits.allStatuses(project, commit);
  expect(listed.map((each) => each.name).sort()).toEqual([...names].sort());
  expect(new Set(listed.map((each) => each["pipeline_id"])).size).toBe(1);
});

test("bad requests are refused with what is wrong", async () => {
  const set = (sha: string, options: object) =>
    rejection(bot.Commits.editStatus(project, sha, "success", options));
  expect(await set("f".repeat(40), {})).toBe("404 404 Commit Not Found");
  expect(await set(commit, { pipelineId: 99_999 })).toMatch(/^404 404 Pipeline for pipeline_id, sha and ref/);
  expect(await set(commit, { description: "x".repeat(256) })).toMatch(/^400 .*too long/);
  expect(await set(commit, { targetUrl: "javascript:alert(1)" })).toMatch(/^400 .*Only allowed schemes/);
  const nonsense = bot.Commits.editStatus(project, commit, "nonsense" as "success", {});
  expect(await rejection(nonsense)).toBe("400 state does not have a valid value");
  expect(await rejection(reader.Commits.editStatus(project, commit, "success", {}))).toBe(
    "403 403 Forbidden",
  );
});

test("statuses are the same after a restart and numbers are not given twice", async () => {
  const before = await bot.Commits.editStatus(project, commit, "running", { name: "kept" });
  await world.restart();
  expect(await bot.Commits.allStatuses(project, commit)).toMatchObject([
    { id: before.id, status: "running" },
  ]);
  const after = await bot.Commits.editStatus(project, commit, "success", { name: "new" });
  expect(after.id).toBeGreaterThan(before.id);
});
