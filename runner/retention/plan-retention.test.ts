import { expect, test } from "vitest";
import { type KeptRun, planRetention } from "./plan-retention.ts";

const day = 24 * 3_600_000;
const nowMs = 1_000 * day;
const good = "good";

/** `r1` is older than `r2`. */
function run(number: number, ageDays: number | undefined, more: Partial<KeptRun> = {}): KeptRun {
  const ended = ageDays === undefined ? {} : { finishedAtMs: nowMs - ageDays * day };
  return { id: `r${number}`, operation: "execute", sourceKey: "new", ...ended, ...more };
}

function plan(runs: KeptRun[], times = { runsMs: 90 * day, logsMs: 30 * day }, wanted: string[] = []) {
  return planRetention(runs, times, { nowMs, lastGood: good, wanted: new Set(wanted) });
}

test("runs that ended long ago go, those in between lose their log, young ones stay", () => {
  expect(plan([run(1, 91), run(2, 90), run(3, 31), run(4, 30), run(5, 1)])).toEqual({
    runs: ["r1"],
    logs: ["r3", "r2"],
  });
});

test("what has not ended stays, however old", () => {
  expect(plan([run(1, undefined), run(2, 1)])).toEqual({ runs: [], logs: [] });
});

test("the newest run of each operation stays with its log", () => {
  expect(plan([run(1, 400, { operation: "create" }), run(2, 300), run(3, 200)])).toEqual({
    runs: ["r2"],
    logs: [],
  });
});

test("the newest runs of the last good source stay with their logs", () => {
  const create = { operation: "create", sourceKey: good };
  const runs = [run(1, 400, { sourceKey: good }), run(2, 390, create), run(3, 380, { sourceKey: good })];
  expect(plan([...runs, run(4, 370), run(5, 1), run(6, 1, { operation: "create" })])).toEqual({
    runs: ["r4", "r1"],
    logs: [],
  });
});

test("what is to be done again stays", () => {
  expect(plan([run(1, 91), run(2, 1)], undefined, ["r1"])).toEqual({ runs: [], logs: [] });
});

test("a request that never became a run goes with its age", () => {
  expect(plan([{ id: "r1", finishedAtMs: nowMs - 91 * day }, run(2, 1)]).runs).toEqual(["r1"]);
});

test("what has no time is kept for ever", () => {
  const runs = [run(1, 9_000), run(2, 1)];
  expect(planRetention(runs, {}, { nowMs, lastGood: undefined, wanted: new Set() })).toEqual({
    runs: [],
    logs: [],
  });
  expect(planRetention(runs, { logsMs: day }, { nowMs, lastGood: undefined, wanted: new Set() })).toEqual({
    runs: [],
    logs: ["r1"],
  });
});
