import { afterEach, beforeEach, expect, test } from "vitest";
import { writeJsonAtomic } from "#core/atomic-file";
import { runFolder } from "#core/data-folder";
import { manifestOf, outcomeOf } from "#test/fixtures/api-fixture";
import type { FileInTree } from "#test/fixtures/git-http-server";
import type { ForgeProject } from "../forge/forge.ts";
import { runArchive } from "../reading/run-archive.ts";
import { type Files, people, ReviewWorld } from "./testing/review-world.ts";

const script: FileInTree = { content: "#!/bin/sh\nsleep 1000\n", mode: "100755" };
const levels = { user1: 40, reporter: 20 };
let world: ReviewWorld;
let project: ForgeProject;

function twin(name: string, spec: string): Files {
  const text = `apiVersion: dtaas/v1\nkind: DigitalTwin\nmetadata: { name: ${name} }\nspec:\n${spec}`;
  return {
    [`digital_twins/${name}/dt.yaml`]: text,
    [`digital_twins/${name}/lifecycle/execute`]: script,
  };
}

const tank = twin("tank", "  state: running\n");
const good: Files = { "README.md": "mine\n", ...tank };

beforeEach(async () => {
  world = await ReviewWorld.start();
  await world.create("common", { "models/pump/model.py": "rate = 1\n" }, { user1: 20, user2: 20 });
  project = await world.create("user1", good, levels);
});
afterEach(async () => await world.close());

const threads = async (iid: number) =>
  (await world.mergeRequests.discussions(project, iid)).filter(({ isThread }) => isThread);
const runs = () => runArchive(world.data, () => undefined);
const lastStatus = () => world.statuses.at(-1);
const observeLive = (user: string) =>
  world.observedTwins.set(
    user,
    (world.desired.get(user)?.twins ?? []).map(({ name, sourceKey, revision }) => ({
      ...{
        name,
        sourceKey,
        revision,
        phase: "live" as const,
        since: "2026-01-01T00:00:00.000Z",
        restarts: 0,
      },
    })),
  );

test("three mistakes are three threads on their lines and one comment; a fixing push resolves them", async () => {
  const bad = {
    ...good,
    ...twin("pump", "  stat: running\n  integrationLevel: twn\n  resources: { cpus: many }\n"),
  };
  const iid = world.propose(project, bad);
  await world.review(project, iid);
  expect(world.mergeRequests.written.filter((one) => one.startsWith("thread"))).toEqual([
    "thread digital_twins/pump/dt.yaml:5",
    "thread digital_twins/pump/dt.yaml:6",
    "thread digital_twins/pump/dt.yaml:7",
  ]);
  const bodies = (await threads(iid)).map(({ notes: [first] }) => first?.body ?? "");
  expect(bodies[0]).toContain("```suggestion\n  state: running\n```");
  expect(bodies[1]).toContain("```suggestion\n  integrationLevel: twin\n```");
  expect(bodies[2]).not.toContain("suggestion");
  expect(await world.comment(project, iid)).toContain("### Digital twins: 3 errors");
  expect(lastStatus()).toMatchObject({ state: "failed", name: "dtaas/plan", ref: "change" });
  expect(lastStatus()?.description).toMatch(
    /^digital_twins\/pump\/dt.yaml:5:3: unknown field `stat`.* \(and 2 more\)$/,
  );

  world.propose(project, { ...good, ...twin("pump", "  state: running\n") }, { iid });
  await world.review(project, iid);
  expect((await threads(iid)).map(({ isResolved }) => isResolved)).toEqual([true, true, true]);
  expect(await world.comment(project, iid)).toContain("### Digital twins: ready to merge");
  expect(await world.comment(project, iid)).toMatch(/\| `pump` \| starts \| new \|/);
  expect(lastStatus()).toMatchObject({ state: "success", description: "1 will start" });

  world.propose(project, bad, { iid });
  await world.review(project, iid);
  expect((await threads(iid)).map(({ isResolved }) => isResolved)).toEqual([false, false, false]);
});

test("twenty pushes leave one comment, and a look at the same again writes nothing", async () => {
  const iid = world.propose(project, good);
  for (let n = 1; n <= 20; n += 1) {
    world.propose(project, { ...good, [`digital_twins/tank/data-${n}`]: String(n) }, { iid });
    await world.review(project, iid);
  }
  await world.comment(project, iid); // throws for more than one
  const written = world.mergeRequests.written.length;
  const statuses = world.statuses.length;
  expect(await world.review(project, iid)).toMatchObject({ outcome: "unchanged" });
  expect([world.mergeRequests.written.length, world.statuses.length]).toEqual([written, statuses]);
});

test("the plan compares with what runs: a changed twin restarts, others stay, and it says why", async () => {
  await world.push(project, { ...good, ...twin("pump", "  state: running\n") });
  observeLive("user1");
  const files = {
    ...{ ...good, ...twin("pump", "  state: running\n") },
    ...twin(
      "tank",
      "  state: running\n  parameters: { rate: 2 }\n  workspace: { packages: { pip: [numpy==2.1.0] } }\n",
    ),
  };
  const iid = world.propose(project, files);
  await world.review(project, iid);
  const comment = await world.comment(project, iid);
  expect(comment).toMatch(/\| `tank` \| restarts \| .*`parameters`, `workspace` \|/);
  expect(comment).toContain("1 twin stays as they are.");
  expect(comment).toMatch(/#### Images[\s\S]*`tank`.*`numpy==2\.1\.0`/);
  expect(comment).toContain("what was seen to run at 2026-01-01T00:00:00.000Z");
});

test("what the target branch has wrong already is not held against a merge request", async () => {
  const broken = twin("old", "  stat: running\n");
  await world.push(project, { ...good, ...broken });
  const iid = world.propose(project, { ...good, ...broken, "README.md": "better\n" });
  await world.review(project, iid);
  expect(await world.comment(project, iid)).toContain("Errors that `main` has already are left out: 1.");
  expect(lastStatus()).toMatchObject({ state: "success" });
});

test("a problem on a line that the diff does not show stands in the comment with its place", async () => {
  const long = `  environment:\n${Array.from({ length: 20 }, (_, n) => `    V${n}: "x"\n`).join("")}`;
  await world.push(project, { ...good, ...twin("pump", `  state: running\n  dependsOn: [tank]\n${long}`) });
  const { "digital_twins/tank/dt.yaml": _, "digital_twins/tank/lifecycle/execute": __, ...without } = good;
  // The twin that pump depends on is removed: pump's own file is not touched.
  const iid = world.propose(project, {
    ...without,
    ...twin("pump", `  state: running\n  dependsOn: [tank]\n${long}`),
  });
  await world.review(project, iid);
  expect(await threads(iid)).toEqual([]);
  expect(await world.comment(project, iid)).toMatch(/`digital_twins\/pump\/dt.yaml`:6:\d+ \| warning /);
  expect(await world.comment(project, iid)).toContain("| `tank` | is removed | its folder is gone |");
});

test("where it conflicts, the branch itself is looked at, and that is said", async () => {
  const iid = world.propose(project, { ...good, "README.md": "theirs\n" });
  await world.push(project, { ...good, "README.md": "ours\n" });
  const { head } = (await world.mergeRequests.show(project, iid)) ?? { head: "" };
  world.remerge(project, iid, head);
  await world.review(project, iid);
  expect(await world.comment(project, iid)).toContain("**It conflicts with `main`**");
});

test("a secret that a twin is newly handed, and twins of others that depend on one, are told in bold", async () => {
  await world.create("user2", twin("observer", "  state: running\n  dependsOn: [user1/tank]\n"), {
    ...{ user2: 40, user1: 20, reporter: 20 },
  });
  observeLive("user1");
  const iid = world.propose(project, {
    ...good,
    ...twin("tank", "  state: running\n  secrets: [PLANT_TOKEN]\n"),
  });
  await world.review(project, iid);
  const comment = await world.comment(project, iid);
  expect(comment).toContain("**the twin `tank` is handed the secret `PLANT_TOKEN`**");
  expect(comment).toContain("**`user2/observer` of another user** depends on `tank`: restart");
  expect(lastStatus()?.description).toContain("access gets wider, 1 twins of other users are touched");
});

test("a shared repository's merge request says whose twins it touches, by name only where all its readers may see them", async () => {
  const uses = "  state: running\n  assets: [{ model: common/models/pump }]\n";
  await world.push(project, { ...good, ...twin("tank", uses) });
  await world.create("user2", twin("other", uses), { user2: 40 });
  for (const user of ["user1", "user2"]) observeLive(user);
  const common = world.project("dtaas/common");
  const iid = world.propose(common, { "models/pump/model.py": "rate = 2\n" }, { author: people.admin });
  await world.review(common, iid);
  const hidden = await world.comment(common, iid);
  expect(hidden).toContain("**2 twins of other users**");
  expect(hidden).not.toMatch(/user1\/tank|user2\/other/);
  expect(hidden).toMatch(/`common\/models\/pump` \| changed \| `dtaas\/common`/);

  Object.assign(world.levels["dtaas/user1"] ?? {}, { user2: 20, "dtaas-bot": 40 });
  await world.review(common, iid);
  const named = await world.comment(common, iid);
  expect(named).toContain("**`user1/tank` of another user**");
  expect(named).toContain("**1 twin of other users**");
  world.openToAll.add("dtaas/common");
  await world.review(common, iid);
  expect(await world.comment(common, iid)).not.toContain("user1/tank");
});

test("a shared asset that twins need and that a merge request removes fails it before the merge", async () => {
  await world.push(project, {
    ...good,
    ...twin("tank", "  state: running\n  assets: [{ model: common/models/pump }]\n"),
  });
  const common = world.project("dtaas/common");
  const iid = world.propose(common, { "README.md": "nothing left\n" }, { author: people.admin });
  await world.review(common, iid);
  expect(await world.comment(common, iid)).toContain("**1 twin of other users** would have errors");
  expect(lastStatus()).toMatchObject({
    state: "failed",
    description: "1 twins of other users would be broken",
  });
});

test("a member's merge request asks for previews by itself, an outsider's only when a member asks, for that head alone", async () => {
  const member = world.propose(project, { ...good, "digital_twins/tank/a": "1" });
  await world.review(project, member);
  expect(world.wanted).toMatchObject([{ iid: member, projectPath: "dtaas/user1" }]);

  world.wanted.length = 0;
  const outside = world.propose(
    project,
    { ...good, "digital_twins/tank/b": "1" },
    { author: people.stranger, fromFork: true },
  );
  await world.review(project, outside);
  expect(world.wanted).toEqual([]);
  expect(await world.comment(project, outside)).toContain(
    "nothing of it runs yet: its author is no member of the project",
  );
  expect(await world.comment(project, outside)).toContain("#### Plan");

  world.mergeRequests.saidBy(people.stranger, project, outside, { body: "/dtaas preview" });
  await world.review(project, outside);
  expect(world.wanted).toEqual([]);
  world.mergeRequests.saidBy(people.user1, project, outside, { body: "/dtaas preview tank" });
  await world.review(project, outside);
  expect(world.wanted).toMatchObject([{ iid: outside, twins: ["tank"] }]);

  world.propose(project, { ...good, "digital_twins/tank/b": "evil" }, { iid: outside });
  world.wanted.length = 0;
  await world.review(project, outside);
  expect(world.wanted).toEqual([]);
  expect(world.removed.at(-1)).toMatchObject({ iid: outside });
});

test("what was pushed after a member asked is not run in the name of what the member saw", async () => {
  const iid = world.propose(project, { ...good, a: "1" }, { author: people.stranger, fromFork: true });
  world.mergeRequests.saidBy(people.user1, project, iid, { body: "/dtaas preview" });
  world.propose(project, { ...good, a: "evil" }, { iid });
  await world.review(project, iid);
  expect(world.wanted).toEqual([]);
  expect((await world.said(project, iid)).join("\n")).toContain("Something was pushed after that was asked.");
});

test("commands are answered in their own thread, by the rights of whoever wrote them, once", async () => {
  const iid = world.propose(project, good);
  const say = (author: (typeof people)[keyof typeof people], body: string) =>
    world.mergeRequests.saidBy(author, project, iid, { body });
  say(people.user1, "/dtaas help");
  say(people.user1, "/dtaas previw");
  say(people.reporter, "/dtaas run execute tank");
  say(people.stranger, "/dtaas plan");
  say(people.reporter, "/dtaas plan");
  say(people.user1, "> /dtaas run execute tank\n\nno");
  await world.review(project, iid);
  const answers = (await world.mergeRequests.discussions(project, iid))
    .filter(({ notes: [first] }) => !first?.isOurs)
    .map(({ notes }) => notes.slice(1).map(({ body }) => body.split("\n")[1] ?? ""));
  expect(answers).toEqual([
    ["What I understand, as a line of a comment:"],
    ["`/dtaas previw` is no command I know: did you mean `preview`?."],
    [expect.stringMatching(/^`reporter` may not run or cancel operations in `dtaas\/user1`\./)],
    [expect.stringMatching(/^There is no such thing, or you may not see it\./)],
    [expect.stringMatching(/^Looked at `[0-9a-f]{8}` again: /)],
    [],
  ]);
  const before = world.mergeRequests.written.length;
  await world.review(project, iid);
  await world.deps.memories.remove(project.id, iid); // the disk forgets; what stands on the host does not
  await world.review(project, iid);
  expect(world.mergeRequests.written.length).toBe(before);
});

test("a run that a note asks for is made once, and its reply follows it to its end", async () => {
  const iid = world.propose(project, good);
  await world.review(project, iid);
  const stopped = { ...good, ...twin("tank", "  state: stopped\n") };
  await world.push(project, stopped);
  world.mergeRequests.saidBy(people.user1, project, iid, { body: "/dtaas run execute" });
  // Killed between doing and answering: the answer cannot be written.
  const say = world.mergeRequests.say.bind(world.mergeRequests);
  world.mergeRequests.say = async () => {
    throw new Error("killed");
  };
  await expect(world.review(project, iid)).rejects.toThrow("killed");
  world.mergeRequests.say = say;
  await world.review(project, iid);
  const made = await runs().list("user1", "tank", { limit: 10 });
  expect(made).toMatchObject([{ operation: "execute", requestedBy: "user1", state: "waiting" }]);
  const [run] = made;
  const reply = async () =>
    (await world.said(project, iid)).find((body) => body.includes("dtaas:reply")) ?? "";
  expect(await reply()).toContain("`execute` of `user1/tank`: accepted.");
  const folder = runFolder(world.data, "user1", "tank", run?.id ?? "");
  const manifest = manifestOf({ id: run?.id ?? "", user: "user1", twin: "tank" }, { operation: "execute" });
  await writeJsonAtomic(`${folder}/manifest.json`, manifest);
  await world.review(project, iid);
  expect(await reply()).toContain("`execute` of `user1/tank`: running.");
  await writeJsonAtomic(
    `${folder}/outcome.json`,
    outcomeOf({ outcome: "failed", exitCode: 3, reason: "no @all" }),
  );
  await world.review(project, iid);
  expect(await reply()).toMatch(/\*\*`failed`\*\* with exit code 3: no @\u2060all/);
  expect((await world.deps.memories.get(project.id, iid))?.runs).toEqual([]);
});

test("a note that was edited, or that is old, is no command", async () => {
  const iid = world.propose(project, good);
  await world.review(project, iid);
  const at = "2026-01-01T00:30:00.000Z";
  world.mergeRequests.saidBy(people.user1, project, iid, {
    ...{ body: "/dtaas run execute tank", createdAt: at, updatedAt: "2026-01-01T00:31:00.000Z" },
  });
  world.mergeRequests.saidBy(people.user1, project, iid, {
    body: "/dtaas run execute tank",
    createdAt: "2025-12-01T00:00:00.000Z",
  });
  await world.review(project, iid);
  expect(await runs().list("user1", "tank", { limit: 10 })).toEqual([]);
  const replies = (await world.said(project, iid)).filter((body) => body.includes("dtaas:reply"));
  expect(replies).toHaveLength(1);
  expect(replies[0]).toContain("was edited before I read it");
});

test("merged or closed, its previews, its refs and what was remembered are gone", async () => {
  const iid = world.propose(project, good);
  await world.review(project, iid);
  world.mergeRequests.change(project, iid, { state: "merged" });
  await world.review(project, iid);
  expect(world.removed.at(-1)).toMatchObject({ iid });
  expect(await world.deps.memories.get(project.id, iid)).toBeUndefined();
});

test("a hostile tree is refused in the comment, and nothing is thrown", async () => {
  const iid = world.propose(project, {
    ...good,
    "digital_twins/tank/link": { content: "/etc/passwd", mode: "120000" },
  });
  await world.review(project, iid);
  expect(await world.comment(project, iid)).toContain("digital\\_twins/tank/link");
  expect(lastStatus()).toMatchObject({ state: "failed" });
});

test("names of shared assets are not told to somebody from outside", async () => {
  const wrong = { ...good, ...twin("tank", "  state: running\n  assets: [{ model: common/models/pum }]\n") };
  const member = world.propose(project, wrong);
  await world.review(project, member);
  expect((await world.said(project, member)).join("\n")).toContain("did you mean `pump`");
  const outside = world.propose(project, wrong, { author: people.stranger, fromFork: true });
  await world.review(project, outside);
  expect((await world.said(project, outside)).join("\n")).not.toContain("`pump`");
});

test("other branches than the default one, and projects that are not ours, are left alone", async () => {
  const iid = world.propose(project, good, { targetBranch: "release" });
  expect(await world.review(project, iid)).toMatchObject({ outcome: "ignored" });
  expect(world.mergeRequests.written).toEqual([]);
});
