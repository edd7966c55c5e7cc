import { expect, test } from "vitest";
import { type CiStatus, compositeStatus } from "./composite-status.ts";
import { isRetried, type JobState, planStarts } from "./plan-starts.ts";

let ids = 0;
function job(name: string, stage: number, more: Partial<JobState> = {}): JobState {
  ids += 1;
  return {
    id: ids,
    name,
    stage,
    status: "created",
    when: "on_success",
    mayFail: false,
    needs: null,
    ...more,
  };
}

function starts(...jobs: JobState[]): Record<string, string> {
  const names = new Map(jobs.map(({ id, name }) => [id, name]));
  return Object.fromEntries(planStarts(jobs).map(({ id, to }) => [names.get(id), to]));
}

const needs = (...names: string[]) => names.map((name) => ({ job: name, optional: false }));

test("the first stage begins, the others wait", () => {
  expect(starts(job("a", 0), job("b", 0), job("c", 1))).toEqual({ a: "pending", b: "pending" });
});

test("a stage begins when all before it went well", () => {
  const done = job("a", 0, { status: "success" });
  expect(starts(done, job("b", 0, { status: "running" }), job("c", 1))).toEqual({});
  expect(starts(done, job("c", 1), job("d", 2))).toEqual({ c: "pending" });
});

test("after a failure the rest is skipped, but for what is there for it", () => {
  const failed = job("a", 0, { status: "failed" });
  const later = [job("b", 1), job("mend", 1, { when: "on_failure" }), job("tidy", 1, { when: "always" })];
  expect(starts(failed, ...later, job("c", 2))).toEqual({ b: "skipped", mend: "pending", tidy: "pending" });
  expect(
    starts(job("a", 0, { status: "success" }), job("mend", 1, { when: "on_failure" }), job("c", 2)),
  ).toEqual({
    mend: "skipped",
    c: "pending",
  });
});

test("a failure is waited for to be known by all before it counts", () => {
  const failed = job("a", 0, { status: "failed" });
  expect(starts(failed, job("b", 0, { status: "running" }), job("mend", 1, { when: "on_failure" }))).toEqual(
    {},
  );
});

test("what may fail holds nobody up", () => {
  expect(starts(job("a", 0, { status: "failed", mayFail: true }), job("b", 1))).toEqual({ b: "pending" });
});

test("with needs a job begins as soon as those have ended, whatever its stage", () => {
  const slow = job("slow", 0, { status: "running" });
  const quick = job("quick", 0, { status: "success" });
  expect(
    starts(slow, quick, job("deep", 5, { needs: needs("quick") }), job("now", 5, { needs: [] })),
  ).toEqual({
    deep: "pending",
    now: "pending",
  });
});

test("what is needed and did not run leaves nothing to build on", () => {
  const skipped = job("a", 0, { status: "skipped" });
  expect(starts(skipped, job("b", 1, { needs: needs("a") }))).toEqual({ b: "skipped" });
  expect(starts(skipped, job("b", 1))).toEqual({ b: "pending" });
});

test("a need that is not there is passed over where it may be", () => {
  expect(starts(job("b", 1, { needs: [{ job: "gone", optional: true }] }))).toEqual({ b: "pending" });
});

test("a job for somebody's hand stands still; only one that must be run blocks", () => {
  const optional = job("ask", 0, { when: "manual", mayFail: true });
  expect(starts(optional, job("b", 1))).toEqual({ ask: "manual", b: "pending" });
  const must = job("ask", 0, { when: "manual" });
  expect(starts(must, job("b", 1))).toEqual({ ask: "manual" });
});

test("a delayed one is put off", () => {
  expect(starts(job("a", 0, { when: "delayed" }))).toEqual({ a: "scheduled" });
});

test("one that is needed and waits for a hand has what needs it skipped", () => {
  const optional = job("ask", 0, { status: "manual", mayFail: true });
  expect(starts(optional, job("b", 1, { needs: needs("ask") }))).toEqual({ b: "skipped" });
});

const words = (...statuses: CiStatus[]) => statuses.map((status) => ({ status, mayFail: false }));

test.each([
  [words("success", "skipped"), "success"],
  [words("success", "failed"), "failed"],
  [words("success", "created"), "running"],
  [words("created", "created"), "created"],
  [words("pending", "created"), "pending"],
  [words("failed", "running"), "running"],
  [words("success", "manual"), "manual"],
  [words("success", "canceled"), "canceled"],
  [words("canceling", "created"), "canceling"],
  [words("scheduled", "success"), "scheduled"],
  [words("waiting_for_resource", "success"), "waiting_for_resource"],
  [[{ status: "failed" as const, mayFail: true }, ...words("success")], "success"],
  [[{ status: "manual" as const, mayFail: true }, ...words("success")], "success"],
  [[{ status: "manual" as const, mayFail: true }], "skipped"],
  [[], undefined],
])("%j together are %s", (parts, status) => {
  expect(compositeStatus(parts)).toBe(status);
});

test("a failed job is tried again as often, and for such reasons, as it says", () => {
  const failed = { attempts: 1, reason: "script_failure", exitCode: 3 };
  expect(isRetried({ max: 0, when: [], exitCodes: [] }, failed)).toBe(false);
  expect(isRetried({ max: 1, when: [], exitCodes: [] }, failed)).toBe(true);
  expect(isRetried({ max: 1, when: [], exitCodes: [] }, { ...failed, attempts: 2 })).toBe(false);
  expect(isRetried({ max: 2, when: ["runner_system_failure"], exitCodes: [] }, failed)).toBe(false);
  expect(isRetried({ max: 2, when: ["runner_system_failure"], exitCodes: [3] }, failed)).toBe(true);
  expect(isRetried({ max: 2, when: ["always"], exitCodes: [] }, failed)).toBe(true);
  expect(isRetried({ max: 2, when: [], exitCodes: [4] }, failed)).toBe(false);
});
