import { describe, expect, test } from "vitest";
import { desiredTwin, SimulatedTwin } from "./simulated-twin.ts";

const commit = "a".repeat(40);
const shared = [
  { project: "dtaas/common", commit },
  { project: "lab/turbines", commit },
];
const all = new Set(["dtaas/common", "lab/turbines"]);
const withoutLab = new Set(["dtaas/common"]);

function live(change: Parameters<typeof desiredTwin>[1] = {}): SimulatedTwin {
  const twin = new SimulatedTwin();
  twin.readable = all;
  twin.desired = desiredTwin("k1", { shared, ...change });
  twin.settle();
  twin.pass(3_500);
  twin.done = [];
  return twin;
}

/** What the controller writes when access to the lab's repository was removed. */
function removeAccess(twin: SimulatedTwin, change: Parameters<typeof desiredTwin>[1] = {}): void {
  twin.readable = withoutLab;
  twin.desired = desiredTwin("k1", { shared: shared.slice(0, 1), ...change });
}

describe("when access to a shared repository is removed", () => {
  test("a twin that sees it is started anew without it, and that counts as no failure", () => {
    const twin = live();
    removeAccess(twin);
    const plan = twin.settle();
    expect(twin.done).toEqual(["stop execute k1 (access removed)", "start execute k1 (restart)"]);
    expect(plan.status?.restarts).toBe(0);
    expect(Object.values(twin.memory.open)[0]?.reads).toEqual(["dtaas/common"]);
    expect([...twin.outcomes.values()]).toEqual(["stopped"]);
  });

  test("a twin that does not see it runs on", () => {
    const twin = live({ shared: shared.slice(0, 1) });
    removeAccess(twin);
    twin.settle();
    expect(twin.done).toEqual([]);
  });

  test("a twin that declares an asset of it ends, says so, and refuses to run", () => {
    const twin = live();
    const reason = "its user may not read lab/turbines any more";
    removeAccess(twin, { withheld: { reason } });
    const plan = twin.settle();
    expect(twin.running()).toEqual([]);
    expect(plan.status).toMatchObject({ phase: "failed", reason });
    twin.requests = [
      {
        ...{ version: 1, runId: "r1", user: "user1", twin: "tank", operation: "execute" },
        ...{ requestedBy: "user1", requestedAt: "2026-01-01T00:00:00Z" },
      },
    ];
    twin.settle();
    expect(twin.outcomes.get("r1")).toBe("failed");
    twin.readable = all;
    twin.desired = desiredTwin("k1", { shared });
    twin.settle();
    expect(twin.running()).toHaveLength(1);
  });

  test("a suspended twin loses it, too: what is mounted stays readable otherwise", () => {
    const twin = live();
    removeAccess(twin, { suspend: true });
    twin.settle();
    expect(twin.running()).toEqual([]);
  });

  test("the last good source does not bring it back", () => {
    const twin = live({ assetsFrom: ["lab/turbines"] });
    twin.desired = desiredTwin("k2", { shared: shared.slice(0, 1) });
    twin.readable = withoutLab;
    twin.settle();
    for (let attempt = 0; attempt < 6; attempt += 1) {
      twin.exit(twin.running()[0], 1);
      twin.pass(300_000);
    }
    const plan = twin.settle();
    expect(twin.done).toContain("refuse revision of k2");
    expect(twin.running()).toEqual([]);
    expect(plan.status).toMatchObject({ phase: "failed", reason: expect.stringContaining("lab/turbines") });
  });
});

test("a grant restarts nothing; it is said, and seen from the next start on", () => {
  const twin = live({ shared: shared.slice(0, 1) });
  twin.desired = desiredTwin("k1", { shared });
  expect(twin.settle().status).toMatchObject({
    phase: "live",
    reason: "sees lab/turbines from its next start",
  });
  expect(twin.done).toEqual([]);
  twin.exit(twin.running()[0], 1);
  twin.settle();
  twin.pass(2_000);
  const plan = twin.pass(3_500);
  expect(plan.status?.phase).toBe("live");
  expect(plan.status?.reason).toBeUndefined();
});
