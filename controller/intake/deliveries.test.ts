import { appendFile, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Deliveries, type NewDelivery, reviewWork } from "./deliveries.ts";

let folder: string;
let deliveries: Deliveries;

const never = (error: unknown) => {
  throw error;
};

function push(project: string, key?: string): NewDelivery {
  return { key, projectId: 1, project, event: "pushed main", intent: { kind: "reconcile", project } };
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "deliveries-"));
  deliveries = await Deliveries.open(folder, never);
});

afterEach(async () => {
  await deliveries.close().catch(() => {});
  await rm(folder, { recursive: true, force: true });
});

/** As after kill -9: nothing is closed, what is on disk counts. */
async function restart(): Promise<Deliveries> {
  return Deliveries.open(folder, never);
}

test("an accepted delivery is on disk before it is acknowledged", async () => {
  const { id } = await deliveries.accept(push("dtaas/user1", "key-1"));
  const [segment = ""] = await readdir(folder);
  expect(await readFile(join(folder, segment), "utf8")).toContain(id);
  const after = await restart();
  expect(after.waitingProjects()).toEqual(["dtaas/user1"]);
  expect(await after.get(id)).toMatchObject({ outcome: "accepted", project: "dtaas/user1" });
  await after.close();
});

test("a delivery that the host sends again is answered with the same id and makes no second work", async () => {
  const first = await deliveries.accept(push("dtaas/user1", "key-1"));
  expect(first.isNew).toBe(true);
  expect(await deliveries.accept(push("dtaas/user1", "key-1"))).toEqual({ id: first.id, isNew: false });
  const after = await restart();
  expect(await after.accept(push("dtaas/user1", "key-1"))).toEqual({ id: first.id, isNew: false });
  expect(await after.list(10)).toHaveLength(1);
  await after.close();
});

test("the same delivery arriving many times at once is accepted once", async () => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => deliveries.accept(push("dtaas/user1", "key-1"))),
  );
  expect(answers.filter(({ isNew }) => isNew)).toHaveLength(1);
  expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
});

test("another project cannot take a delivery's id away", async () => {
  const theirs = await deliveries.accept({ ...push("dtaas/user2", "key-1"), projectId: 2 });
  const ours = await deliveries.accept(push("dtaas/user1", "key-1"));
  expect(ours.isNew).toBe(true);
  expect(ours.id).not.toBe(theirs.id);
  expect(await deliveries.get(theirs.id)).toMatchObject({ project: "dtaas/user2" });
});

test("an outcome reaches every delivery that came before the work began, and none that came later", async () => {
  const early = await deliveries.accept(push("dtaas/user1"));
  const other = await deliveries.accept(push("dtaas/user2"));
  const upTo = deliveries.mark();
  const late = await deliveries.accept(push("dtaas/user1"));
  const revision = "c".repeat(40);
  expect(deliveries.settle("dtaas/user1", { upTo, outcome: "applied", revision, generation: 3 })).toBe(1);
  expect(await deliveries.get(early.id)).toMatchObject({ outcome: "applied", revision, generation: 3 });
  expect(await deliveries.get(late.id)).toMatchObject({ outcome: "accepted", finishedAt: null });
  expect(await deliveries.get(other.id)).toMatchObject({ outcome: "accepted" });
  expect(deliveries.waitingProjects().sort()).toEqual(["dtaas/user1", "dtaas/user2"]);
});

test("outcomes survive a restart; work without one waits again", async () => {
  const done = await deliveries.accept(push("dtaas/user1"));
  deliveries.settle("dtaas/user1", {
    upTo: deliveries.mark(),
    outcome: "failed",
    reason: "the host is down",
  });
  const open = await deliveries.accept(push("dtaas/user2"));
  await deliveries.close();
  const after = await restart();
  expect(await after.get(done.id)).toMatchObject({ outcome: "failed", reason: "the host is down" });
  expect(await after.get(open.id)).toMatchObject({ outcome: "accepted" });
  expect(after.waitingProjects()).toEqual(["dtaas/user2"]);
  await after.close();
});

test("a delivery that asks for nothing has its outcome at once", async () => {
  const intent = { kind: "none", reason: "not the default branch" } as const;
  const { id } = await deliveries.accept({ ...push("dtaas/user1"), intent });
  expect(await deliveries.get(id)).toMatchObject({ outcome: "ignored", reason: "not the default branch" });
  expect(deliveries.waitingProjects()).toEqual([]);
});

test("a journal torn by a crash still opens with everything that was acknowledged", async () => {
  const { id } = await deliveries.accept(push("dtaas/user1"));
  const [segment = ""] = await readdir(folder);
  await appendFile(
    join(folder, segment),
    'not JSON\n{"at":"x","value":{"accepted":{"id":5}}}\n{"at":"x","value":null}\n{"half',
  );
  const after = await restart();
  expect(await after.get(id)).toMatchObject({ outcome: "accepted" });
  expect((await after.accept(push("dtaas/user1"))).isNew).toBe(true);
  await after.close();
});

test("a delivery that cannot be journalled never came and may be sent again", async () => {
  await deliveries.close();
  await expect(deliveries.accept(push("dtaas/user1", "key-1"))).rejects.toMatchObject({
    name: "TryLaterError",
  });
  expect(await deliveries.list(10)).toEqual([]);
  expect(deliveries.waitingProjects()).toEqual([]);
  deliveries = await restart();
  expect((await deliveries.accept(push("dtaas/user1", "key-1"))).isNew).toBe(true);
});

test("the newest are listed first", async () => {
  for (const n of [1, 2, 3]) await deliveries.accept(push(`dtaas/user${n}`));
  deliveries.settle("dtaas/user1", { upTo: deliveries.mark(), outcome: "unchanged" });
  expect((await deliveries.list(2)).map(({ project }) => project)).toEqual(["dtaas/user3", "dtaas/user2"]);
  expect(await deliveries.list(10)).toHaveLength(3);
});

test("work for a merge request is beside that for its project, and outlives a crash", async () => {
  const project = "dtaas/user1";
  const note: NewDelivery = {
    ...{ key: "n", projectId: 1, project, event: "note-added !7" },
    intent: { kind: "review", project, iid: 7 },
  };
  const { id } = await deliveries.accept(note);
  const pushed = await deliveries.accept(push(project, "p"));
  const after = await restart();
  expect([after.waitingProjects(), after.waitingReviews()]).toEqual([[project], [{ project, iid: 7 }]]);
  after.settle(project, { upTo: after.mark(), outcome: "applied" });
  expect([await after.get(pushed.id), await after.get(id)]).toMatchObject([
    { outcome: "applied" },
    { outcome: "accepted", project },
  ]);
  expect(after.settle(reviewWork(project, 7), { upTo: after.mark(), outcome: "unchanged" })).toBe(1);
  expect(await after.get(id)).toMatchObject({ outcome: "unchanged" });
  await after.close();
});
