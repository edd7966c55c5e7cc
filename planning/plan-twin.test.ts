import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RunRequest } from "#schemas/desired-state";
import { planTwin } from "./plan-twin.ts";
import { desiredTwin, SimulatedTwin } from "./simulated-twin.ts";

function ask(operation: string, runId = `r-${operation}`): RunRequest {
  return {
    version: 1,
    runId,
    user: "user1",
    twin: "tank",
    operation,
    requestedBy: "user1",
    requestedAt: "2026-01-01T00:00:00Z",
  };
}

function liveTwin(sourceKey = "k1", change: Parameters<typeof desiredTwin>[1] = {}): SimulatedTwin {
  const twin = new SimulatedTwin();
  twin.desired = desiredTwin(sourceKey, change);
  twin.settle();
  twin.pass(3_500);
  twin.done = [];
  return twin;
}

describe("a twin that shall run", () => {
  test("is built, created once, executed, and live after three seconds", () => {
    const twin = new SimulatedTwin();
    twin.desired = desiredTwin("k1", { operations: { create: {}, execute: {} } });
    twin.image = { state: "missing", hash: "image1" };
    expect(twin.settle().status?.phase).toBe("building");
    twin.image = { state: "present", hash: "image1", id: "sha256:1" };
    expect(twin.settle().status?.phase).toBe("creating");
    twin.exit(twin.running("create")[0], 0);
    const starting = twin.settle();
    expect(starting.status?.phase).toBe("starting");
    expect(starting.wakeAtMs).toBe(twin.nowMs + 3_000);
    expect(twin.pass(3_000).status?.phase).toBe("live");
    expect(twin.done).toEqual(["build", "start create k1 (state)", "start execute k1 (state)"]);
  });

  test("is left alone while nothing changes", () => {
    const twin = liveTwin();
    expect(planTwin(twin.facts()).steps).toEqual([]);
    twin.pass(3_600_000);
    expect(twin.done).toEqual([]);
  });

  test("is started again soon after somebody kills it, and later each time it fails", () => {
    const twin = liveTwin();
    twin.pass(20_000);
    twin.exit(twin.running()[0], 137);
    expect(twin.settle().status?.phase).toBe("restarting");
    expect(twin.pass(2_000).status?.phase).toBe("starting");
    twin.exit(twin.running()[0], 1);
    twin.settle();
    twin.pass(2_000);
    expect(twin.running()).toHaveLength(0);
    twin.pass(2_000);
    expect(twin.running()).toHaveLength(1);
  });

  test("is given up after its retries, says why, and is tried again when somebody asks", () => {
    const twin = new SimulatedTwin();
    twin.desired = desiredTwin("k1");
    for (let attempt = 1; attempt <= 4; attempt += 1) {
      twin.pass(300_000);
      twin.exit(twin.running()[0], 3);
      twin.settle();
    }
    const plan = twin.pass(300_000);
    expect(plan.status).toMatchObject({ phase: "failed", reason: "failed (3)" });
    expect(twin.running()).toHaveLength(0);
    twin.requests = [ask("execute")];
    twin.settle();
    expect(twin.running()).toHaveLength(1);
  });

  test("that ends well is completed and not run again", () => {
    const twin = new SimulatedTwin();
    twin.desired = desiredTwin("k1");
    twin.settle();
    twin.exit(twin.running()[0], 0);
    expect(twin.settle().status?.phase).toBe("completed");
    twin.pass(3_600_000);
    expect(twin.done).toEqual(["start execute k1 (state)"]);
  });

  test("with restart policy always is run again after it ended well", () => {
    const twin = new SimulatedTwin();
    twin.desired = desiredTwin("k1", {
      spec: { restart: { policy: "always", maxRetries: 3, backoffMs: 2_000 } },
    });
    twin.settle();
    twin.exit(twin.running()[0], 0);
    twin.settle();
    twin.pass(2_000);
    expect(twin.running()).toHaveLength(1);
  });

  test("whose container was removed behind our back is started again under a new run", () => {
    const twin = liveTwin();
    const [before] = twin.running();
    twin.containers = [];
    twin.settle();
    twin.pass(2_000);
    expect(twin.running()[0]?.runId).not.toBe(before?.runId);
  });

  test("whose container was changed by somebody is made anew", () => {
    const twin = liveTwin();
    twin.containers = twin.containers.map((container) => ({ ...container, changed: true }));
    twin.settle();
    expect(twin.done).toEqual(["stop execute k1 (changed)", "start execute k1 (restart)"]);
  });

  test("waits for the twins it depends on", () => {
    const twin = new SimulatedTwin();
    twin.desired = desiredTwin("k1");
    twin.dependencies = [{ name: "user1/pump", ready: false }];
    expect(twin.settle().status).toMatchObject({ phase: "waiting", waitingFor: ["user1/pump"] });
    twin.dependencies = [{ name: "user1/pump", ready: true }];
    expect(twin.settle().status?.phase).toBe("starting");
  });

  test("takes up the run that a crash left between manifest and container", () => {
    const twin = new SimulatedTwin();
    twin.desired = desiredTwin("k1");
    twin.settle();
    const [run] = Object.entries(twin.memory.open);
    if (!run) throw new Error("no run");
    twin.memory = { ...twin.memory, open: { [run[0]]: { ...run[1], started: false } } };
    twin.containers = [];
    twin.settle();
    expect(twin.running()[0]?.runId).toBe(run[0]);
  });
});

describe("a new revision", () => {
  test("that may act on a physical twin replaces: the old one ends before the new one starts", () => {
    const twin = liveTwin();
    twin.desired = desiredTwin("k2");
    twin.settle();
    expect(twin.done).toEqual(["stop execute k1 (replaced)", "start execute k2 (state)"]);
  });

  test("runs its create beside the old twin before that one is stopped", () => {
    const twin = liveTwin();
    twin.desired = desiredTwin("k2", { operations: { create: {}, execute: {} } });
    const plan = twin.settle();
    expect(plan.status?.phase).toBe("live");
    expect(twin.done).toEqual(["start create k2 (state)"]);
  });

  test("of a model starts beside the old one, which ends when the new one is healthy", () => {
    const parallel = { rollout: { strategy: "parallel" as const, timeoutMs: 60_000 } };
    const twin = liveTwin("k1", { spec: parallel });
    twin.desired = desiredTwin("k2", { spec: parallel });
    twin.settle();
    expect(twin.running()).toHaveLength(2);
    twin.pass(3_000);
    expect(twin.done).toEqual(["start execute k2 (state)", "stop execute k1 (replaced)"]);
  });

  test("that does not become healthy in time gives way to the last good one", () => {
    const health = { http: { port: 8000, path: "/" }, intervalMs: 1_000, timeoutMs: 500, retries: 3 };
    const twin = liveTwin();
    twin.desired = desiredTwin("k2", { spec: { health } });
    twin.settle();
    twin.pass(61_000);
    const plan = twin.pass(3_500);
    expect(twin.done).toEqual([
      "stop execute k1 (replaced)",
      "start execute k2 (state)",
      "refuse revision of k2",
      "stop execute k2 (unhealthy)",
      "start execute k1 (return-to-last-good)",
    ]);
    expect(plan.status).toMatchObject({
      phase: "live",
      revision: "revision of k1",
      returnedFrom: { revision: "revision of k2" },
    });
    twin.pass(3_600_000);
    expect(twin.done).toHaveLength(5);
  });

  test("that keeps failing gives way to the last good one, and a mended one is tried", () => {
    const twin = liveTwin();
    twin.desired = desiredTwin("k2", { spec: { restart: { policy: "never", maxRetries: 0, backoffMs: 1 } } });
    twin.settle();
    twin.exit(twin.running()[0], 1);
    twin.settle();
    expect(twin.running()[0]?.sourceKey).toBe("k1");
    twin.desired = desiredTwin("k3");
    twin.settle();
    expect(twin.pass(3_000).status).toMatchObject({ phase: "live", revision: "revision of k3" });
  });

  test("that is not yet built leaves the old twin running", () => {
    const twin = liveTwin();
    twin.desired = desiredTwin("k2");
    twin.image = { state: "failed", hash: "image1", reason: "no such package" };
    expect(twin.settle().status).toMatchObject({ phase: "live", reason: "no such package" });
    expect(twin.running()[0]?.sourceKey).toBe("k1");
  });

  test("leaves no layer of the old one behind once it is good", () => {
    const twin = liveTwin();
    twin.desired = desiredTwin("k2");
    twin.settle();
    twin.pass(3_000);
    twin.exit(twin.running()[0], 0);
    twin.settle();
    expect([...twin.layers]).toEqual(["k2"]);
  });
});

describe("a twin that is no longer wanted", () => {
  test("and was removed from Git is terminated its own way, stopped, cleaned up and forgotten", () => {
    const twin = liveTwin("k1", { operations: { execute: {}, terminate: {} } });
    twin.desired = undefined;
    twin.settle();
    expect(twin.done).toEqual(["start terminate k1 (removal)"]);
    twin.exit(twin.running("terminate")[0], 0);
    expect(twin.settle().status).toBeUndefined();
    expect(twin.done).toEqual(["start terminate k1 (removal)", "stop execute k1 (removed)"]);
    expect(twin.layers.size).toBe(0);
    expect(twin.forgotten).toBe(true);
  });

  test("and is now stopped ends and is ready", () => {
    const twin = liveTwin();
    twin.desired = desiredTwin("k1", { state: "stopped" });
    expect(twin.settle().status?.phase).toBe("ready");
    expect(twin.done).toEqual(["stop execute k1 (not wanted)"]);
  });

  test("and is suspended is observed and nothing else", () => {
    const twin = liveTwin();
    twin.desired = desiredTwin("k2", { suspend: true });
    expect(twin.settle().status?.phase).toBe("live");
    twin.exit(twin.running()[0], 1);
    twin.settle();
    expect(twin.done).toEqual([]);
  });
});

const terminating = { execute: {}, terminate: {} };

function stoppedByTerminate(order: ("execute" | "terminate")[]): SimulatedTwin {
  const twin = liveTwin("k1", { operations: terminating });
  twin.desired = desiredTwin("k1", { operations: terminating, state: "stopped" });
  twin.settle();
  for (const name of order) {
    twin.exit(twin.running(name)[0], 0);
    twin.settle();
  }
  expect(twin.running()).toEqual([]);
  return twin;
}

test.each([
  ["execute", "terminate"],
  ["terminate", "execute"],
] as const)(
  "a twin that terminate ended well, %s first, is started again when it is wanted again",
  (...order) => {
    const twin = stoppedByTerminate([...order]);
    twin.desired = desiredTwin("k1", { operations: terminating });
    twin.settle();
    expect(twin.running()).toHaveLength(1);
  },
);

describe("an operation that somebody asks for", () => {
  test("runs on a stopped twin, one at a time, oldest first", () => {
    const twin = new SimulatedTwin();
    twin.desired = desiredTwin("k1", {
      state: "stopped",
      operations: { execute: {}, save: {}, analyse: {} },
    });
    twin.requests = [ask("save"), ask("analyse")];
    twin.settle();
    expect(twin.running("save")).toHaveLength(1);
    expect(twin.running("analyse")).toHaveLength(0);
    twin.exit(twin.running("save")[0], 0);
    twin.settle();
    expect(twin.running("analyse")).toHaveLength(1);
  });

  test("is refused when the twin has no such operation", () => {
    const twin = liveTwin();
    twin.requests = [ask("dance")];
    twin.settle();
    expect(twin.done).toEqual(['reject (tank has no operation "dance")']);
  });

  test("can be cancelled before it starts and while it runs", () => {
    const twin = liveTwin("k1", { operations: { execute: {}, save: {}, analyse: {} } });
    twin.requests = [ask("save"), ask("analyse")];
    twin.cancels = new Set(["r-analyse"]);
    twin.settle();
    expect(twin.outcomes.get("r-analyse")).toBe("cancelled");
    twin.cancels = new Set(["r-save"]);
    twin.settle();
    expect(twin.outcomes.get("r-save")).toBe("cancelled");
    expect(twin.running("execute")).toHaveLength(1);
  });

  test("that takes too long is stopped", () => {
    const twin = liveTwin("k1", { operations: { execute: {}, save: { timeoutMs: 30_000 } } });
    twin.requests = [ask("save")];
    expect(twin.settle().wakeAtMs).toBe(twin.nowMs + 30_000);
    twin.pass(30_000);
    expect(twin.outcomes.get("r-save")).toBe("timed-out");
  });

  test("terminate joins the execution that it ends", () => {
    const twin = liveTwin("k1", { operations: { execute: {}, terminate: {} } });
    twin.requests = [ask("terminate")];
    twin.settle();
    expect(twin.memory.open["r-terminate"]?.forRun).toBe(twin.running()[0]?.runId);
  });
});

test("whatever happens in whatever order, two executions never run at once and the twin settles", () => {
  const happening = fc.oneof(
    fc.record({ kind: fc.constant("push" as const), key: fc.constantFrom("k1", "k2", "k3", "k4") }),
    fc.record({ kind: fc.constant("exit" as const), code: fc.constantFrom(0, 1, 137) }),
    fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: 100, max: 100_000 }) }),
    fc.constantFrom(
      { kind: "vanish" as const },
      { kind: "remove" as const },
      { kind: "stop" as const },
      { kind: "crash" as const },
    ),
  );
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 30 }), (story) => {
      const twin = new SimulatedTwin();
      for (const event of story) {
        if (event.kind === "push")
          twin.desired = desiredTwin(event.key, { operations: { create: {}, execute: {} } });
        if (event.kind === "stop" && twin.desired) twin.desired = { ...twin.desired, state: "stopped" };
        if (event.kind === "remove") twin.desired = undefined;
        if (event.kind === "exit") twin.exit(twin.containers[0], event.code);
        if (event.kind === "vanish") twin.containers = twin.containers.slice(1);
        if (event.kind === "pass") twin.nowMs += event.ms;
        if (event.kind === "crash") {
          const open = Object.entries(twin.memory.open).map(
            ([id, run]) => [id, { ...run, started: false }] as const,
          );
          twin.memory = { ...twin.memory, open: Object.fromEntries(open) };
        }
        twin.settle(40);
        expect(twin.running("execute").length).toBeLessThanOrEqual(1);
        if (!twin.desired) expect(twin.containers).toEqual([]);
      }
    }),
    { numRuns: 300 },
  );
});

describe("a twin beyond the limits of its user", () => {
  const overLimit = "over the limit: user1 would use 3 running twins, 2 are allowed";

  test("is not started, says why, and is started when there is room", () => {
    const twin = new SimulatedTwin();
    twin.desired = desiredTwin("k1", { overLimit });
    expect(twin.settle().status).toMatchObject({ phase: "refused", reason: overLimit });
    expect(twin.running()).toEqual([]);
    twin.desired = desiredTwin("k1");
    twin.settle();
    expect(twin.pass(3_500).status?.phase).toBe("live");
  });

  test("is stopped when the limit was lowered, and keeps what it has written", () => {
    const twin = liveTwin();
    twin.desired = desiredTwin("k1", { overLimit });
    expect(twin.settle().status).toMatchObject({ phase: "refused", reason: overLimit });
    expect(twin.running()).toEqual([]);
    expect(twin.done.filter((step) => step.includes("layer"))).toEqual([]);
    expect(twin.memory.lastGood).toBeDefined();
  });

  test("still runs what somebody asks for", () => {
    const twin = new SimulatedTwin();
    twin.desired = desiredTwin("k1", { overLimit, operations: { execute: {}, save: {} } });
    twin.settle();
    twin.requests = [ask("save")];
    twin.settle();
    expect(twin.running("save")).toHaveLength(1);
  });
});

test("what somebody asked for is started when a crash came between making its container and starting it", () => {
  const twin = new SimulatedTwin();
  twin.desired = desiredTwin("k1", { state: "stopped", operations: { analyse: {} } });
  twin.requests = [ask("analyse", "w1")];
  const open = { operation: "analyse", cause: "request", key: "k", attempt: 1, graceMs: 1 } as const;
  twin.memory = { ...twin.memory, open: { w1: { ...open, started: false } } };
  const made = { id: "c-w1", runId: "w1", operation: "analyse", key: "k", sourceKey: "k1", revision: "r" };
  twin.containers = [{ ...made, state: "created", changed: false }];
  twin.settle();
  expect(twin.running("analyse")).toMatchObject([{ runId: "w1" }]);
});
