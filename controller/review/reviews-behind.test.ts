import { expect, test } from "vitest";
import type { KnownReview } from "./review-memory.ts";
import { reviewsBehind } from "./reviews-behind.ts";

const projects = [{ id: 1, path: "dtaas/user1", defaultBranch: "main" }];
const open = (iid: number, updatedAt: string, more: object = {}) => ({
  ...{ projectId: 1, iid, targetBranch: "main", updatedAt },
  ...more,
});
const known = (iid: number, seenAt: string | null): KnownReview => ({
  projectId: 1,
  memory: { projectPath: "dtaas/user1", iid, seenAt, status: null, notes: [], runs: [], preview: null },
});

test("a merge request whose delivery was lost is found: a new one, one that changed, one that was closed", () => {
  const now = [open(1, "b"), open(2, "a"), open(3, "a")];
  expect(reviewsBehind(now, [known(2, "a"), known(3, "before"), known(4, "a")], projects)).toEqual([
    { project: "dtaas/user1", iid: 3 },
    { project: "dtaas/user1", iid: 4 },
    { project: "dtaas/user1", iid: 1 },
  ]);
});

test("one that was begun and not finished is looked at again", () => {
  expect(reviewsBehind([open(1, "a")], [known(1, null)], projects)).toHaveLength(1);
});

test("other branches and other projects are left alone", () => {
  const others = [open(1, "a", { targetBranch: "release" }), open(1, "a", { projectId: 7 })];
  expect(reviewsBehind(others, [], projects)).toEqual([]);
});
