import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { dataFolder } from "#core/data-folder";
import { desiredTwin } from "#planning/simulated-twin";
import type { DesiredState, DesiredTwin } from "#schemas/desired-state";
import type { ObservedState, ObservedTwin, Phase } from "#schemas/observed-state";
import type { CommitStatus, Forge, ForgeProject } from "../forge/forge.ts";
import { reportStatuses } from "./report-statuses.ts";
import { statusesOf } from "./status-of.ts";

const first = "1".repeat(40);
const second = "2".repeat(40);
const project: ForgeProject = { id: 1, path: "dtaas/user1", defaultBranch: "main", webUrl: "" };

function desired(
  revision: string,
  twins: DesiredTwin[] = [desiredTwin("k", { revision })],
  more: Partial<DesiredState> = {},
): DesiredState {
  const owner = { id: 1, path: "dtaas/user1" };
  return {
    version: 1,
    user: "user1",
    generation: 2,
    writtenAt: "",
    project: owner,
    revision,
    twins,
    refused: [],
    ...more,
  };
}

function observed(phase: Phase, more: Partial<ObservedTwin> = {}, generation = 2): ObservedState {
  const twin = { name: "tank", phase, since: "", restarts: 0, ...more };
  return { version: 1, user: "user1", generation, observedAt: "", twins: [twin], needs: [] };
}

/** A host that remembers what it was told. */
async function host(shown: CommitStatus[] = []) {
  const sent: CommitStatus[] = [];
  const forge = {
    setStatus: (_project: ForgeProject, status: CommitStatus) => void sent.push(status),
    listStatuses: () => shown,
  } as unknown as Forge;
  const data = dataFolder(await mkdtemp(join(tmpdir(), "report-")));
  return { deps: { data, forge, publicUrl: "http://dtaas", onSetAside: () => undefined }, sent };
}

test("each phase becomes the status that a reviewer expects", () => {
  const stateFor = (phase: Phase) => statusesOf(desired(first), observed(phase), "")[0]?.state;
  expect(
    ["building", "starting", "live", "completed", "ready", "failed", "waiting"].map((phase) =>
      stateFor(phase as Phase),
    ),
  ).toEqual(["running", "running", "success", "success", "success", "failed", "pending"]);
});

test("until the runner has seen the document the status is pending", () => {
  expect(statusesOf(desired(first), observed("live", {}, 1), "")[0]).toMatchObject({
    state: "pending",
    description: "queued",
  });
});

test("a broken spec names file, line and column, and what runs meanwhile", () => {
  const diagnostics = [
    {
      code: "x",
      severity: "error" as const,
      file: "digital_twins/tank/dt.yaml",
      line: 5,
      column: 3,
      message: "must not be",
    },
  ];
  const twin = desiredTwin("k", { revision: first, brokenSince: { revision: second, diagnostics } });
  const [status] = statusesOf(desired(second, [twin]), observed("live", { revision: first }), "");
  expect(status).toMatchObject({
    state: "failed",
    description: "digital_twins/tank/dt.yaml:5:3: must not be - still runs 11111111",
  });
});

test("a revision that gave way to the last good one has failed although the twin is live", () => {
  const seen = observed("live", {
    revision: first,
    returnedFrom: { revision: second, reason: "port 80 is closed" },
  });
  const [status] = statusesOf(desired(second, [desiredTwin("k", { revision: second })]), seen, "");
  expect(status).toMatchObject({ state: "failed", description: "port 80 is closed - returned to 11111111" });
});

test("only what is new is sent, with a link to the run", async () => {
  const { deps, sent } = await host();
  await reportStatuses(deps, project, desired(first), observed("starting", { runId: "r1" }));
  await reportStatuses(deps, project, desired(first), observed("starting", { runId: "r1" }));
  await reportStatuses(deps, project, desired(first), observed("live", { runId: "r1" }));
  expect(sent.map(({ state }) => state)).toEqual(["running", "success"]);
  expect(sent[0]).toMatchObject({
    commit: first,
    ref: "main",
    name: "dtaas/tank",
    targetUrl: "http://dtaas/api/v1/twins/user1/tank/runs/r1",
  });
});

test("a status that a newer commit overtook is closed", async () => {
  const { deps, sent } = await host();
  await reportStatuses(deps, project, desired(first), observed("starting"));
  await reportStatuses(deps, project, desired(second), observed("live"));
  expect(sent.map(({ commit, state }) => [commit, state])).toEqual([
    [first, "running"],
    [first, "canceled"],
    [second, "success"],
  ]);
});

test("after a crash, what the host still shows as running is brought to its end", async () => {
  const open: CommitStatus = {
    commit: first,
    ref: "main",
    name: "dtaas/tank",
    state: "running",
    description: "starting",
  };
  const gone: CommitStatus = { ...open, name: "dtaas/removed" };
  const foreign: CommitStatus = { ...open, name: "ci/test" };
  const { deps, sent } = await host([open, gone, foreign]);
  await reportStatuses(deps, project, desired(first), observed("live"), { verify: true });
  expect(sent.map(({ name, state }) => [name, state])).toEqual([
    ["dtaas/tank", "success"],
    ["dtaas/removed", "canceled"],
  ]);
});

test("what is wrong beside the twins is a status of the repository as a whole", async () => {
  const problem = {
    code: "invalid-twin-name",
    severity: "error" as const,
    file: "digital_twins/3-tanks",
    line: 1,
    column: 1,
    message: "the folder `3-tanks` cannot be a twin",
  };
  const { deps, sent } = await host();
  await reportStatuses(deps, project, desired(first, [], { problems: [problem, problem] }), undefined);
  expect(sent).toMatchObject([
    {
      commit: first,
      name: "dtaas",
      state: "failed",
      description: "digital_twins/3-tanks:1:1: the folder `3-tanks` cannot be a twin (and 1 more)",
    },
  ]);
});

test("a list of what was reported that cannot be understood is set aside, and all is said again", async () => {
  const { deps, sent } = await host();
  const aside: string[] = [];
  const path = join(deps.data.reported, "user1.json");
  await reportStatuses(deps, project, desired(first), observed("live"));
  await writeFile(path, '{"commit":7}');
  const telling = { ...deps, onSetAside: (found: { path: string }) => void aside.push(found.path) };
  await reportStatuses(telling, project, desired(first), observed("live"));
  expect(aside).toEqual([path]);
  expect(sent.map(({ state }) => state)).toEqual(["success", "success"]);
});

test("shared assets that are not seen as they are now are a remark at the commit, which ends when they are", async () => {
  const { deps, sent } = await host();
  const problems = [
    { project: "lab/turbines", reason: "it cannot be reached: the host answers 500 (seen as of 12345678)" },
  ];
  const view = { sources: [], assets: [], hidden: [] };
  const away = desired(first, [], { view: { ...view, problems } });
  await reportStatuses(deps, project, away, undefined);
  await reportStatuses(deps, project, away, undefined);
  await reportStatuses(deps, project, desired(first, [], { view: { ...view, problems: [] } }), undefined);
  await reportStatuses(deps, project, desired(first, [], { view: { ...view, problems: [] } }), undefined);
  expect(sent.map(({ name, state, description }) => [name, state, description])).toEqual([
    [
      "dtaas",
      "success",
      "shared assets: lab/turbines: it cannot be reached: the host answers 500 (seen as of 12345678)",
    ],
    ["dtaas", "success", "shared assets are seen as they are"],
  ]);
});
