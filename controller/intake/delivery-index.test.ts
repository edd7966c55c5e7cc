import { expect, test } from "vitest";
import { type Delivery, DeliveryIndex } from "./delivery-index.ts";

function delivery(n: number, outcome: Delivery["outcome"] = "accepted"): Delivery {
  const id = `id-${n}`;
  const at = "2026-01-01T00:00:00.000Z";
  const rest = { reason: null, finishedAt: null, revision: null, generation: null };
  return {
    id,
    acceptedAt: at,
    event: "pushed",
    project: "dtaas/user1",
    outcome,
    ...rest,
    projectId: 1,
    key: id,
  };
}

const settled = {
  outcome: "applied",
  reason: null,
  finishedAt: "now",
  revision: null,
  generation: 1,
} as const;

test("memory is bounded: old settled deliveries go, open ones stay", () => {
  const index = new DeliveryIndex();
  index.add(delivery(0));
  for (let n = 1; n <= 25_000; n += 1) index.add(delivery(n, "ignored"));
  expect(index.newest(100_000)).toHaveLength(20_001);
  expect(index.get("id-0")).toMatchObject({ outcome: "accepted" });
  expect(index.get("id-1")).toBeUndefined();
  expect(index.find(1, "id-1")).toBeUndefined();
  expect(index.get("id-25000")).toBeDefined();
});

test("an outcome for what is unknown, or settled already, changes nothing", () => {
  const index = new DeliveryIndex();
  index.add(delivery(1));
  index.settle(["id-1", "id-2"], settled);
  index.settle(["id-1"], { ...settled, outcome: "failed" });
  expect(index.get("id-1")).toMatchObject({ outcome: "applied" });
  expect(index.waitingWork).toEqual([]);
});
