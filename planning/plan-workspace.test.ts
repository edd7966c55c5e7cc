import { describe, expect, test } from "vitest";
import type { WorkspaceRequest } from "#schemas/workspace-state";
import {
  planWorkspace,
  stageDeadlinesMs,
  stopsIdleAtMs,
  uncountable,
  type WorkspaceContainerFact,
  type WorkspaceFacts,
} from "./plan-workspace.ts";
import {
  enterStage,
  freshMemory,
  rememberDisk,
  rememberDiskStart,
  rememberSessionEnd,
} from "./workspace-memory.ts";

const nowMs = Date.parse("2026-01-01T12:00:00Z");
const token = "a".repeat(43);
const request: WorkspaceRequest = {
  version: 1,
  user: "user1",
  generation: 3,
  session: 2,
  writtenAt: "2026-01-01T11:00:00.000Z",
  state: "running",
  requestedBy: "user1",
  rebuild: false,
  template: { template: "base", packages: { apt: [], pip: [] } },
  resources: { cpus: 1, memoryBytes: 2 ** 30, shmBytes: 2 ** 26, pids: 100 },
  repository: { project: "dtaas/user1", branch: "main" },
  owner: { id: 1, name: "User 1", email: "1-user1@users.noreply.forge.test" },
  gitToken: token,
  accessToken: token,
};
const running: WorkspaceContainerFact = { id: "c2", session: 2, state: "running" };

function facts(more: Partial<WorkspaceFacts> = {}): WorkspaceFacts {
  return {
    request,
    containers: [],
    image: { state: "present", id: "image" },
    memory: freshMemory(2),
    isServing: false,
    workTree: "unknown",
    lost: [],
    stopping: new Set(),
    nowMs,
    ...more,
  };
}

const kinds = (plan: ReturnType<typeof planWorkspace>) => plan.steps.map(({ kind }) => kind);

describe("a workspace that shall run", () => {
  test("goes from image to container to tools, one state each", () => {
    const way = [
      facts({ image: { state: "missing" } }),
      facts({ image: { state: "queued" } }),
      facts({ image: { state: "building" } }),
      facts(),
      facts({ containers: [{ ...running, state: "created" }] }),
      facts({ containers: [running] }),
      facts({ containers: [running], isServing: true, workTree: "working" }),
      facts({ containers: [running], isServing: true, workTree: "ready" }),
    ].map((seen) => {
      const plan = planWorkspace(seen);
      return `${plan.state}: ${kinds(plan).join()}`;
    });
    expect(way).toEqual([
      "queued: get-image",
      "queued: ",
      "building: ",
      "creating: create-container",
      "starting: start-container",
      "starting: prepare-work-tree",
      "starting: ",
      "ready: ",
    ]);
  });

  test("waits until its former session has ended", () => {
    const old = { id: "c1", session: 1, state: "running" as const };
    const plan = planWorkspace(facts({ containers: [old] }));
    expect(plan).toMatchObject({ state: "stopping", steps: [{ kind: "stop-container", containerId: "c1" }] });
    expect(kinds(planWorkspace(facts({ containers: [old], stopping: new Set(["c1"]) })))).toEqual([]);
    expect(kinds(planWorkspace(facts({ containers: [{ ...old, state: "exited" }] })))).toEqual([
      "remove-container",
    ]);
  });

  test.each(Object.entries(stageDeadlinesMs))(
    "is given up when %s takes longer than its deadline",
    (name, deadlineMs) => {
      const state = name as keyof typeof stageDeadlinesMs;
      const at: Record<string, Partial<WorkspaceFacts>> = {
        queued: { image: { state: "queued" } },
        pulling: { image: { state: "pulling" } },
        building: { image: { state: "building" } },
        creating: {},
        starting: { containers: [running], workTreeProblem: "the work tree: fatal: no such host" },
      };
      const memory = enterStage(freshMemory(2), state, nowMs - deadlineMs + 1);
      expect(planWorkspace(facts({ ...at[name], memory })).state).toBe(state);
      const late = planWorkspace(facts({ ...at[name], memory, nowMs: nowMs + 1 }));
      expect(late).toMatchObject({
        state: "failed",
        steps: [{ kind: "end-session", ended: { kind: "failed" } }],
      });
      expect(late.reason).toContain(`${name} took longer than`);
      if (name === "starting") expect(late.reason).toContain("no such host");
    },
  );

  test("is not given up for having been ready for long", () => {
    const memory = enterStage(freshMemory(2), "ready", nowMs - 30 * 86_400_000);
    const plan = planWorkspace(facts({ containers: [running], isServing: true, workTree: "ready", memory }));
    expect(plan).toEqual({ state: "ready", steps: [] });
  });

  test("is made again without what its user may not read any more", () => {
    const lost = ["lab/assets"];
    const plan = planWorkspace(facts({ containers: [running], lost }));
    expect(plan).toMatchObject({ state: "stopping", reason: "user1 may not read lab/assets any more" });
    expect(kinds(plan)).toEqual(["stop-container"]);
    const ended = planWorkspace(facts({ containers: [{ ...running, state: "exited" }], lost }));
    expect(ended.steps).toEqual([{ kind: "remove-container", containerId: "c2", crashed: false }]);
    expect(kinds(planWorkspace(facts({ lost })))).toEqual(["create-container"]);
  });

  test("stays ready for a runner that has just begun to look at it", () => {
    const memory = enterStage(freshMemory(2), "ready", nowMs);
    const plan = planWorkspace(facts({ containers: [running], memory }));
    expect(plan).toMatchObject({ state: "ready", steps: [{ kind: "prepare-work-tree" }] });
  });

  test("says why its image could not be had, and stays failed", () => {
    const failed = facts({ image: { state: "failed", reason: "no such package" } });
    const plan = planWorkspace(failed);
    expect(plan).toMatchObject({ state: "failed", reason: "no such package" });
    const memory = rememberSessionEnd(freshMemory(2), { kind: "failed", reason: "no such package" });
    expect(planWorkspace(facts({ memory }))).toMatchObject({
      state: "failed",
      reason: "no such package",
      steps: [],
    });
  });

  test("is started anew when its tools end, and given up when they keep ending", () => {
    const exited = { ...running, state: "exited" as const, exitCode: 3 };
    const again = planWorkspace(facts({ containers: [exited] }));
    expect(again.steps).toEqual([{ kind: "remove-container", containerId: "c2", crashed: true }]);
    const memory = { ...freshMemory(2), crashes: 3 };
    expect(planWorkspace(facts({ containers: [exited], memory })).reason).toMatch(/exit code 3, 4 times/);
  });
});

describe("a workspace that shall not run", () => {
  const stopped = { ...request, state: "stopped" as const };

  test("ends what is under way, wherever it is", () => {
    expect(planWorkspace(facts({ request: stopped, image: { state: "building" } }))).toMatchObject({
      state: "stopped",
      steps: [{ kind: "drop-image-task" }],
    });
    const plan = planWorkspace(facts({ request: stopped, containers: [running] }));
    expect(plan).toMatchObject({ state: "stopping", steps: [{ kind: "stop-container" }] });
    const gone = planWorkspace(facts({ request: stopped, containers: [{ ...running, state: "created" }] }));
    expect(kinds(gone)).toEqual(["remove-container"]);
    expect(planWorkspace(facts({ request: stopped })).steps).toEqual([]);
  });

  test("does nothing for somebody who never asked for one", () => {
    expect(planWorkspace(facts({ request: undefined }))).toEqual({ state: "stopped", steps: [] });
  });
});

describe("an idle workspace", () => {
  const idle = { ...request, idleStopAfterMs: 60_000 };
  const up = { containers: [running], isServing: true, workTree: "ready" as const };
  const readyAt = (agoMs: number) => enterStage(freshMemory(2), "ready", nowMs - agoMs);

  test("is stopped after its time without work, and stays stopped until somebody starts it", () => {
    const young = planWorkspace(facts({ ...up, request: idle, memory: readyAt(59_999) }));
    expect(young).toMatchObject({ state: "ready", wakeAtMs: nowMs + 1 });
    const old = planWorkspace(facts({ ...up, request: idle, memory: readyAt(60_000) }));
    expect(old).toMatchObject({ steps: [{ kind: "end-session", ended: { kind: "idle" } }] });
    const memory = rememberSessionEnd(readyAt(60_000), { kind: "idle", reason: "idle" });
    expect(planWorkspace(facts({ request: idle, memory }))).toEqual({
      state: "stopped",
      reason: "idle",
      steps: [],
    });
  });

  test("work and a wish to keep it begin its time anew", () => {
    const worked = { ...readyAt(600_000), lastActiveMs: nowMs - 10_000 };
    expect(stopsIdleAtMs({ request: idle, memory: worked })).toBe(nowMs + 50_000);
    const kept = { ...idle, keptAliveAt: new Date(nowMs - 5_000).toISOString() };
    expect(stopsIdleAtMs({ request: kept, memory: worked })).toBe(nowMs + 55_000);
    expect(stopsIdleAtMs({ request, memory: worked })).toBeUndefined();
  });
});

test("stages follow one another, each with its end", () => {
  const one = enterStage(freshMemory(2), "queued", nowMs);
  expect(enterStage(one, "queued", nowMs + 5)).toBe(one);
  const two = enterStage(one, "creating", nowMs + 7);
  expect(two.stages).toEqual([
    { name: "queued", startedAt: "2026-01-01T12:00:00.000Z", finishedAt: "2026-01-01T12:00:00.007Z" },
    { name: "creating", startedAt: "2026-01-01T12:00:00.007Z" },
  ]);
});

describe("a workspace whose files are limited", () => {
  const limitBytes = 100 * 1024 ** 2;
  const ready = (usedBytes: number, memory = freshMemory(2)) =>
    planWorkspace(
      facts({
        containers: [running],
        isServing: true,
        workTree: "ready",
        memory,
        disk: { usedBytes, limitBytes },
      }),
    );
  const begun = (usedBytes: number, memory = freshMemory(2)) =>
    rememberDiskStart(memory, { usedBytes, limitBytes });

  test("goes on within its limit, and is ended beyond it, with what to do", () => {
    expect(ready(limitBytes)).toMatchObject({ steps: [], state: "ready" });
    expect(ready(limitBytes + 1)).toMatchObject({
      steps: [{ kind: "end-session", ended: { kind: "disk" } }],
      reason: expect.stringContaining("start it again and delete some"),
    });
  });

  test("is let in with what it has to make room, told so, and ended when that grows", () => {
    const memory = begun(3 * limitBytes);
    expect(kinds(planWorkspace(facts({ disk: { usedBytes: 3 * limitBytes, limitBytes } })))).toEqual([
      "create-container",
    ]);
    expect(ready(3 * limitBytes, memory)).toMatchObject({
      state: "ready",
      reason:
        "its files take 300 MiB, more than 100 MiB (resources.disk): delete some; it is ended when they grow",
    });
    expect(ready(3.1 * limitBytes, memory).state).toBe("ready");
    expect(kinds(ready(3.2 * limitBytes, memory))).toEqual(["end-session"]);
    const mended = rememberDisk(memory, { usedBytes: limitBytes, limitBytes });
    expect(mended).toEqual(freshMemory(2));
    expect(kinds(ready(limitBytes + 1, mended))).toEqual(["end-session"]);
  });

  test("may not grow again and again by ending before it is measured", () => {
    let memory = freshMemory(2);
    const states: string[] = [];
    for (let session = 2; session < 10; session += 1) {
      const disk = { usedBytes: session * limitBytes, limitBytes };
      memory = freshMemory(session, memory);
      states.push(planWorkspace(facts({ memory, disk })).state);
      memory = rememberDiskStart(memory, disk);
    }
    expect(states).toEqual([
      ...Array.from({ length: 5 }, () => "creating"),
      ...Array.from({ length: 3 }, () => "failed"),
    ]);
    expect(rememberDisk(memory, { usedBytes: 0, limitBytes })).toEqual(freshMemory(9));
  });

  test("may be started as often as it likes with what it has", () => {
    let memory = begun(2 * limitBytes);
    for (let session = 3; session < 30; session += 1)
      memory = begun(2.1 * limitBytes, freshMemory(session, memory));
    expect(memory).toMatchObject({ diskHighBytes: 2 * limitBytes, diskOvers: 1 });
  });

  test("whose files cannot be counted has more than it may", () => {
    expect(ready(uncountable, begun(uncountable)).reason).toContain("too many to be counted");
  });
});
