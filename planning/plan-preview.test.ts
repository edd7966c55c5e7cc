import { expect, test } from "vitest";
import type { ObservedPreview, ObservedPreviewRun, WantedPreview } from "#schemas/previews";
import type { ContainerFact } from "./facts.ts";
import { type PreviewFacts, planPreview } from "./plan-preview.ts";

const startMs = Date.parse("2026-01-01T00:00:00Z");
const at = (ms: number) => new Date(startMs + ms).toISOString();
const commit = "a".repeat(40);
const minute = 60_000;
const operation = { run: "lifecycle/x", workingDir: ".", graceMs: 1_000, outputs: [] };

function wanted(more: Partial<WantedPreview> = {}): WantedPreview {
  return {
    ...{ name: "tank", commit, attempt: 1, wantedAt: at(0), ttlMs: 60 * minute, durationMs: 5 * minute },
    operations: [
      { ...operation, name: "create", timeoutMs: 10 * minute },
      { ...operation, name: "execute" },
    ],
    ...{ compare: [], sourceKey: "k", own: { project: "dtaas/user1", commit } },
    shared: [{ project: "dtaas/common", commit }],
    workspace: { template: "base", packages: { apt: [], pip: [] } },
    environment: {},
    resources: { cpus: 1, memoryBytes: 1, pids: 1 },
    ...more,
  };
}

function seen(runs: ObservedPreviewRun[], more: Partial<ObservedPreview> = {}): ObservedPreview {
  return { name: "tank", commit, attempt: 1, phase: "running", since: at(0), runs, ...more };
}

const image = { state: "present" as const, hash: "h", id: "sha256:h" };

function plan(more: Partial<PreviewFacts> & { atMs?: number } = {}) {
  const { atMs = 0, ...facts } = more;
  return planPreview({
    ...{ wanted: wanted(), seen: undefined, image, containers: [], hasRemains: false },
    ...{ stopping: new Set<string>(), readable: new Set(["dtaas/common"]), diskBytes: 0 },
    nowMs: startMs + atMs,
    ...facts,
  });
}

function container(runId: string, name: string, more: Partial<ContainerFact> = {}): ContainerFact {
  return {
    ...{ id: `c-${runId}`, runId, operation: name, key: "k", sourceKey: "k", revision: commit },
    ...{ state: "running" as const, startedAtMs: startMs, changed: false },
    ...more,
  };
}

const created: ObservedPreviewRun = {
  ...{ operation: "create", run: "r1", startedAt: at(0), finishedAt: at(1_000) },
  ...{ outcome: "succeeded", counts: true, exitCode: 0 },
};
const executing: ObservedPreviewRun = { operation: "execute", run: "r2", startedAt: at(0) };

test("operations run in order, each when the one before has ended well", () => {
  expect(plan()).toMatchObject({
    steps: [{ kind: "start-operation", operation: "create", image: { id: "sha256:h" } }],
    status: { phase: "running" },
  });
  expect(plan({ seen: seen([created]) }).steps).toMatchObject([
    { kind: "start-operation", operation: "execute" },
  ]);
  const done = { ...executing, outcome: "succeeded" as const, counts: true };
  expect(plan({ seen: seen([created, done]), hasRemains: true })).toEqual({
    steps: [{ kind: "clear" }],
    status: { phase: "done" },
  });
});

test("the first operation that fails is the last, and says why", () => {
  const failed = {
    ...created,
    outcome: "failed" as const,
    counts: false,
    reason: "create ended with exit code 3",
  };
  expect(plan({ seen: seen([failed]) })).toEqual({
    steps: [{ kind: "clear" }],
    status: { phase: "failed", reason: "create ended with exit code 3" },
  });
});

test("a missing image is built first; one that cannot be built ends it", () => {
  expect(plan({ image: { state: "missing", hash: "h" } })).toMatchObject({
    steps: [{ kind: "build-image", hash: "h" }],
    status: { phase: "building" },
    wakeAtMs: expect.any(Number),
  });
  expect(plan({ image: { state: "failed", hash: "h", reason: "quarantined" } }).status).toEqual({
    phase: "failed",
    reason: "quarantined",
  });
  const later = { state: "failed" as const, hash: "h", reason: "no route", retryAtMs: startMs + minute };
  expect(plan({ image: later })).toMatchObject({ steps: [], status: { phase: "building" } });
});

test("without room it waits, and gives up at the end of its time; once it runs it needs no further room", () => {
  const noRoom = "over the limit";
  expect(plan({ noRoom })).toEqual({
    steps: [],
    status: { phase: "waiting", reason: noRoom },
    wakeAtMs: startMs + 60 * minute,
  });
  expect(plan({ noRoom, atMs: 60 * minute }).status).toMatchObject({ phase: "expired" });
  expect(plan({ noRoom, seen: seen([created]) }).steps).toMatchObject([{ operation: "execute" }]);
});

test("an execute that runs for ever is stopped after `duration`, not as a failure", () => {
  const facts = { seen: seen([created, executing]), containers: [container("r2", "execute")] };
  expect(plan(facts)).toMatchObject({ steps: [], wakeAtMs: startMs + 5 * minute });
  expect(plan({ ...facts, atMs: 5 * minute }).steps).toMatchObject([
    {
      kind: "stop-run",
      runId: "r2",
      reason: "time over",
      explanation: expect.stringContaining("preview.duration"),
    },
  ]);
  expect(plan({ ...facts, atMs: 5 * minute, stopping: new Set(["r2"]) }).steps).toEqual([]);
});

test("the time of the preview ends an execute that would be allowed more", () => {
  const facts = {
    wanted: wanted({ ttlMs: 2 * minute }),
    seen: seen([created, executing]),
    containers: [container("r2", "execute")],
    atMs: 2 * minute,
  };
  expect(plan(facts).steps).toMatchObject([
    { reason: "time over", explanation: expect.stringContaining("preview.ttl") },
  ]);
});

test("an operation with a timeout that takes longer has failed", () => {
  const open = { operation: "create", run: "r1", startedAt: at(0) };
  const facts = { seen: seen([open]), containers: [container("r1", "create")] };
  expect(plan({ ...facts, atMs: 9 * minute }).steps).toEqual([]);
  expect(plan({ ...facts, atMs: 10 * minute }).steps).toMatchObject([{ reason: "timed out" }]);
  expect(plan({ ...facts, wanted: wanted({ ttlMs: minute }), atMs: minute }).steps).toMatchObject([
    { reason: "timed out", explanation: expect.stringContaining("preview.ttl") },
  ]);
});

test.each([
  ["access that was taken away", { readable: new Set<string>() }, "access removed"],
  [
    "a container that somebody changed",
    { containers: [container("r2", "execute", { changed: true })] },
    "changed",
  ],
  ["a full disk", { diskBytes: 2 * 1024 * 1024 }, "disk full"],
])("%s ends what runs", (_name, change, reason) => {
  const resources = { cpus: 1, memoryBytes: 1, pids: 1, diskBytes: 1024 * 1024 };
  const facts = {
    wanted: wanted({ resources }),
    seen: seen([created, executing]),
    containers: [container("r2", "execute")],
  };
  expect(plan(facts).steps).toEqual([]);
  expect(plan({ ...facts, ...change }).steps).toMatchObject([{ kind: "stop-run", runId: "r2", reason }]);
});

test("nothing begins that would see what its user may not read any more", () => {
  const readable = new Set<string>();
  expect(plan({ readable }).status).toEqual({
    phase: "failed",
    reason: "may not read dtaas/common any more",
  });
  const open = { operation: "create", run: "r1" };
  const made = container("r1", "create", { state: "created" });
  expect(plan({ readable, seen: seen([open]), containers: [made] }).steps).toMatchObject([
    { kind: "finish-run", runId: "r1", containerId: "c-r1", ending: { reason: "access removed" } },
  ]);
});

test("after a crash the same run goes on, whichever step was the last", () => {
  const open = { operation: "create", run: "r1" };
  const again = { kind: "start-operation", operation: "create", runId: "r1" };
  expect(plan({ seen: seen([open]) }).steps).toMatchObject([again]);
  const made = container("r1", "create", { state: "created" });
  expect(plan({ seen: seen([open]), containers: [made] }).steps).toMatchObject([again]);
  const over = container("r1", "create", { state: "exited", exitCode: 0 });
  expect(plan({ seen: seen([open]), containers: [over] }).steps).toEqual([
    { kind: "finish-run", runId: "r1", containerId: "c-r1" },
  ]);
  expect(plan({ seen: seen([{ ...open, startedAt: at(0) }]) }).steps).toEqual([
    { kind: "finish-run", runId: "r1" },
  ]);
});

test("what is not wanted, of another commit, asked for again, or of nobody goes before anything begins", () => {
  const forget = [{ kind: "forget" }];
  expect(plan({ wanted: undefined, seen: seen([created]) }).steps).toEqual(forget);
  expect(plan({ wanted: wanted({ commit: "b".repeat(40) }), seen: seen([created]) }).steps).toEqual(forget);
  const over = seen([created], { phase: "failed" });
  expect(plan({ wanted: wanted({ attempt: 2 }), seen: over }).steps).toEqual(forget);
  expect(plan({ containers: [container("r9", "execute")] }).steps).toEqual(forget);
  expect(plan({ hasRemains: true }).steps).toEqual(forget);
});

test("one that has ended takes no room, keeps its files for its time and ten minutes at least, and its words after that", () => {
  const over = seen([created], { phase: "done", since: at(55 * minute) });
  expect(plan({ seen: over, hasRemains: true, atMs: 55 * minute }).steps).toEqual([{ kind: "clear" }]);
  expect(plan({ seen: over, atMs: 60 * minute })).toEqual({ steps: [], wakeAtMs: startMs + 65 * minute });
  expect(plan({ seen: over, atMs: 65 * minute })).toMatchObject({
    steps: [{ kind: "drop-kept" }],
    status: { phase: "expired", reason: expect.stringContaining("ended well") },
  });
  expect(plan({ seen: { ...over, phase: "expired" }, atMs: 70 * minute })).toEqual({ steps: [] });
});

test("an engine that cannot keep it apart runs nothing of it", () => {
  expect(plan({ unsupported: "here twins run as processes" })).toEqual({
    steps: [],
    status: { phase: "failed", reason: "here twins run as processes" },
  });
});
