import { expect, test } from "vitest";
import type { RunRequest } from "#schemas/desired-state";
import type { CopyFact } from "./facts.ts";
import { desiredTwin, SimulatedTwin } from "./simulated-twin.ts";

const image = { state: "present", hash: "image1", id: "sha256:1" } as const;

function copyOf(sourceKey: string, operations: Record<string, object> = { analyse: {} }): CopyFact {
  return { state: "ready", source: desiredTwin(sourceKey, { operations }), image };
}

function request(runId: string, operation = "analyse"): RunRequest {
  const asked = { requestedBy: "user1", requestedAt: "2026-01-01T00:00:00.000Z" };
  return { version: 1, runId, user: "user1", twin: "tank", operation, ...asked, worktree: true };
}

function twinWith(workspace: CopyFact): SimulatedTwin {
  const twin = new SimulatedTwin();
  twin.workspace = workspace;
  return twin;
}

test("a copy runs beside the twin that is kept up, and nothing of it is left", () => {
  const twin = twinWith(copyOf("copy1"));
  twin.desired = desiredTwin("k1");
  twin.settle();
  twin.pass(5_000);
  const [execution] = twin.running();
  twin.requests = [request("w1")];
  twin.settle();
  expect(twin.done.slice(-2)).toEqual(["copy", "start analyse copy1 (request)"]);
  expect(twin.running("execute")).toEqual([execution]);
  twin.exit(twin.running("analyse")[0], 0);
  twin.settle();
  expect(twin.outcomes.get("w1")).toBe("succeeded");
  expect(twin.done.at(-1)).toBe("remove copy");
  expect([...twin.layers]).toEqual(["k1"]);
  expect(twin.running("execute")).toEqual([execution]);
});

test("a copy that has been healthy for long is never what is returned to", () => {
  const twin = twinWith(copyOf("copy1", { execute: {} }));
  twin.desired = desiredTwin("k1", { state: "stopped" });
  twin.requests = [request("w1", "execute")];
  twin.settle();
  twin.pass(60_000);
  expect(twin.running()).toMatchObject([{ sourceKey: "copy1" }]);
  expect(twin.memory.lastGood).toBeUndefined();
});

test("what is wrong with the copy's dt.yaml ends the run with its place", () => {
  const reason = "digital_twins/tank/dt.yaml:6:10: `spec.state` must be `running` or `stopped`";
  const twin = twinWith({ state: "failed", reason });
  twin.desired = desiredTwin("k1", { state: "stopped" });
  twin.requests = [request("w1")];
  twin.settle();
  expect(twin.outcomes.get("w1")).toBe("failed");
  expect(twin.done).toContain(`reject (${reason})`);
  expect(twin.copies.size).toBe(0);
});

test("an operation that the copy does not have is refused with those it has", () => {
  const twin = twinWith(copyOf("copy1", { create: {}, analyse: {} }));
  twin.desired = desiredTwin("k1", { state: "stopped" });
  twin.requests = [request("w1", "evolve")];
  twin.settle();
  expect(twin.done.join()).toContain('no operation "evolve": it has create, analyse');
});

test("two executions of a twin never act at once: the twin itself comes first", () => {
  const twin = twinWith(copyOf("copy1", { execute: {} }));
  twin.desired = desiredTwin("k1");
  twin.settle();
  twin.requests = [request("w1", "execute")];
  twin.settle();
  expect(twin.done.at(-2)).toContain("must not act at once");

  const other = twinWith(copyOf("copy1", { execute: {} }));
  other.desired = desiredTwin("k1", { state: "stopped" });
  other.requests = [request("w1", "execute")];
  other.settle();
  expect(other.running()).toMatchObject([{ sourceKey: "copy1" }]);
  other.desired = desiredTwin("k1");
  other.settle();
  expect(other.running()).toMatchObject([{ sourceKey: "k1" }]);
  expect(other.done).toContain("stop execute copy1 (replaced)");
  expect(other.outcomes.get("w1")).toBe("stopped");
});

test("a twin that Git does not have yet runs as a copy, and is forgotten afterwards", () => {
  const twin = twinWith(copyOf("copy1"));
  twin.requests = [request("w1")];
  const plan = twin.settle();
  expect(plan.status?.reason).toContain("not in Git");
  expect(twin.running("analyse")).toHaveLength(1);
  expect(twin.forgotten).toBe(false);
  twin.exit(twin.running("analyse")[0], 0);
  twin.settle();
  expect(twin.outcomes.get("w1")).toBe("succeeded");
  expect([twin.forgotten, [...twin.layers]]).toEqual([true, []]);
});

test("copies run one after the other, each from files of its own moment", () => {
  const twin = twinWith(copyOf("copy1"));
  twin.desired = desiredTwin("k1", { state: "stopped" });
  twin.requests = [request("w1"), request("w2")];
  twin.settle();
  expect(twin.running("analyse")).toMatchObject([{ runId: "w1" }]);
  twin.workspace = copyOf("copy2");
  twin.exit(twin.running("analyse")[0], 0);
  twin.settle();
  expect(twin.running("analyse")).toMatchObject([{ runId: "w2", sourceKey: "copy2" }]);
});

test("one that is cancelled before it began is no run, and its copy goes", () => {
  const twin = twinWith({ state: "copying" });
  twin.desired = desiredTwin("k1", { state: "stopped" });
  twin.requests = [request("w1")];
  twin.settle();
  twin.cancels = new Set(["w1"]);
  twin.copies.set("w1", copyOf("copy1"));
  twin.settle();
  expect(twin.outcomes.get("w1")).toBe("cancelled");
  expect(twin.copies.size).toBe(0);
});

test("one that a crash left between its manifest and its start is taken up again under the same name", () => {
  const twin = twinWith(copyOf("copy1"));
  twin.desired = desiredTwin("k1", { state: "stopped" });
  twin.copies.set("w1", copyOf("copy1"));
  twin.requests = [request("w1")];
  const open = {
    operation: "analyse",
    cause: "request",
    key: "k",
    attempt: 1,
    graceMs: 1,
    started: false,
  } as const;
  twin.memory = { ...twin.memory, open: { w1: open } };
  twin.settle();
  expect(twin.running("analyse")).toMatchObject([{ runId: "w1" }]);
});

test("one whose container a crash left made and not started is started, and does not wait for itself", () => {
  const twin = twinWith(copyOf("copy1"));
  twin.desired = desiredTwin("k1", { state: "stopped" });
  twin.copies.set("w1", copyOf("copy1"));
  twin.requests = [request("w1")];
  const open = {
    operation: "analyse",
    cause: "request",
    key: "k",
    attempt: 1,
    graceMs: 1,
    started: false,
  } as const;
  twin.memory = { ...twin.memory, open: { w1: open } };
  const made = { id: "c-w1", runId: "w1", operation: "analyse", key: "k", sourceKey: "copy1", revision: "r" };
  twin.containers = [{ ...made, state: "created", changed: false }];
  twin.settle();
  expect(twin.running("analyse")).toMatchObject([{ runId: "w1" }]);
});

test("one that fills its disk is ended and says so", () => {
  const source = desiredTwin("copy1", { operations: { analyse: {} } });
  source.spec.resources = { ...source.spec.resources, diskBytes: 1024 ** 2 };
  const twin = twinWith({ state: "ready", source, image, diskBytes: 0 });
  twin.desired = desiredTwin("k1", { state: "stopped" });
  twin.requests = [request("w1")];
  twin.settle();
  twin.copies.set("w1", { state: "ready", source, image, diskBytes: 3 * 1024 ** 2 });
  twin.settle();
  expect(twin.outcomes.get("w1")).toBe("failed");
  expect(twin.endings.get("w1")?.explanation).toContain("more than 1 MiB");
});
