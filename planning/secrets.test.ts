import { expect, test } from "vitest";
import type { DesiredTwin } from "#schemas/desired-state";
import { restartKey } from "./keys.ts";
import { planTwin } from "./plan-twin.ts";
import { desiredTwin, SimulatedTwin } from "./simulated-twin.ts";

const [first, second] = ["1".repeat(64), "2".repeat(64)];
const more: Parameters<typeof desiredTwin>[1] = { operations: { create: {}, execute: {} } };

function withSecrets(version: string, sourceKey = "k1"): DesiredTwin {
  return { ...desiredTwin(sourceKey, more), secretsVersion: version };
}

function liveTwin(): SimulatedTwin {
  const twin = new SimulatedTwin();
  twin.desired = withSecrets(first);
  twin.settle();
  twin.exit(twin.running("create")[0], 0);
  twin.settle();
  twin.pass(3_500);
  twin.done = [];
  return twin;
}

test("the restart key of a twin without secrets is what it always was", () => {
  expect(restartKey({ sourceKey: "k" }, "i")).not.toBe(
    restartKey({ sourceKey: "k", secretsVersion: first }, "i"),
  );
  expect(restartKey({ sourceKey: "k", secretsVersion: first }, "i")).not.toBe(
    restartKey({ sourceKey: "k", secretsVersion: second }, "i"),
  );
  expect(restartKey({ sourceKey: "k" }, "i")).toBe(
    "208ee3860ea9a829b6be1d14902d10456a077a4b3294e14b2d6b1d151d948783",
  );
});

test("a new value starts the twin again, on the workspace that it has", () => {
  const twin = liveTwin();
  twin.desired = withSecrets(second);
  twin.settle();
  twin.exit(twin.running("create")[0], 0);
  twin.settle();
  expect(twin.done).toEqual([
    "start create k1 (state)",
    "stop execute k1 (replaced)",
    "start execute k1 (state)",
  ]);
  expect([...twin.layers]).toEqual(["k1"]);
  twin.done = [];
  twin.pass(60_000);
  expect(twin.done).toEqual([]);
});

test("a secret that cannot be opened stops nothing that runs, and is looked at again", () => {
  const twin = liveTwin();
  twin.desired = withSecrets(second, "k2");
  twin.secretProblem = "the secret TOKEN has run out";
  const plan = twin.pass(600_000);
  expect(twin.done).toEqual([]);
  expect(twin.running()).toHaveLength(1);
  expect(plan.status).toMatchObject({ phase: "live", reason: "the secret TOKEN has run out" });
  expect(plan.wakeAtMs).toBeGreaterThan(twin.nowMs);
  twin.secretProblem = undefined;
  twin.settle();
  expect(twin.done).toEqual(["start create k2 (state)"]);
});

test("a twin that never ran and lacks a secret has failed, with the reason; a stopped one, too", () => {
  const twin = new SimulatedTwin();
  twin.secretProblem = "the secret TOKEN is not as it was sealed";
  twin.desired = withSecrets(first);
  expect(twin.settle().status).toMatchObject({ phase: "failed", reason: twin.secretProblem });
  twin.desired = { ...withSecrets(first), state: "stopped" };
  expect(twin.settle().status).toMatchObject({ phase: "failed", reason: twin.secretProblem });
  expect(twin.done).toEqual([]);
});

test("an operation that somebody asks for is refused with the reason", () => {
  const twin = new SimulatedTwin();
  twin.secretProblem = "the secret TOKEN has been deleted";
  twin.desired = { ...withSecrets(first), state: "stopped" };
  twin.requests = [
    {
      version: 1,
      runId: "r1",
      user: "user1",
      twin: "tank",
      operation: "create",
      requestedBy: "user1",
      requestedAt: "2026-01-01T00:00:00Z",
    },
  ];
  expect(planTwin(twin.facts()).steps).toContainEqual({
    kind: "reject-request",
    runId: "r1",
    outcome: "failed",
    reason: twin.secretProblem,
  });
});

test("a value that breaks the twin is not followed by a return to the same source: former values are not kept", () => {
  const twin = liveTwin();
  twin.desired = withSecrets(second);
  twin.settle();
  twin.exit(twin.running("create")[0], 0);
  for (let attempt = 1; attempt <= 10; attempt += 1) {
    twin.settle();
    for (const container of twin.running()) twin.exit(container, 1);
    twin.pass(300_000);
  }
  expect(twin.memory.refused).toBeUndefined();
  expect(twin.settle().status?.phase).toBe("failed");
  expect(twin.done.filter((step) => step.includes("return-to-last-good"))).toEqual([]);
});
