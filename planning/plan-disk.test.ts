import { describe, expect, test } from "vitest";
import { desiredTwin, SimulatedTwin } from "./simulated-twin.ts";

const mebibyte = 1024 * 1024;
const resources = (diskBytes: number) => ({
  spec: { resources: { cpus: 1, memoryBytes: mebibyte, pids: 8, diskBytes } },
  operations: { execute: {}, clean: {} },
});
const ask = (operation: string) => ({
  ...{ version: 1 as const, runId: `r-${operation}`, user: "user1", twin: "tank", operation },
  ...{ requestedBy: "user1", requestedAt: "2026-01-01T00:00:00Z" },
});

function full(): SimulatedTwin {
  const twin = new SimulatedTwin();
  twin.desired = desiredTwin("k1", resources(mebibyte));
  twin.settle();
  twin.pass(3_500);
  twin.disk.set("k1", mebibyte);
  expect(twin.settle().status?.phase).toBe("live");
  twin.done = [];
  twin.disk.set("k1", 3 * mebibyte);
  return twin;
}

describe("a twin that writes more than it may", () => {
  test("is ended, says how much it wrote and how to mend it, and is not started again", () => {
    const twin = full();
    const plan = twin.settle();
    expect(twin.running()).toEqual([]);
    expect(plan.status).toMatchObject({
      phase: "failed",
      reason: "its files take 3 MiB, more than 1 MiB (resources.disk): run clean, or allow more",
    });
    twin.pass(3_600_000);
    expect(twin.done).toEqual(["stop execute k1 (disk full)"]);
  });

  test("runs nothing but clean, and runs again when that has made room", () => {
    const twin = full();
    twin.settle();
    twin.requests = [ask("execute"), ask("clean")];
    twin.settle();
    expect(twin.outcomes.get("r-execute")).toBe("failed");
    expect(twin.running("clean")).toHaveLength(1);
    twin.exit(twin.running("clean")[0], 0);
    twin.disk.delete("k1");
    twin.settle();
    twin.pass(10_000);
    expect(twin.running()).toHaveLength(1);
  });

  test("runs again with what it wrote when more is allowed", () => {
    const twin = full();
    twin.settle();
    twin.desired = desiredTwin("k1", resources(4 * mebibyte));
    twin.settle();
    twin.pass(10_000);
    expect(twin.running()).toHaveLength(1);
    expect(twin.layers).toEqual(new Set(["k1"]));
  });
});
