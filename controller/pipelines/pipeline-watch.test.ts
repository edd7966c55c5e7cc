import { setMaxListeners } from "node:events";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ActionNeededError, TryLaterError } from "#core/errors";
import { until } from "../../test/fixtures/until.ts";
import type { PipelineDetails } from "../forge/forge-pipelines.ts";
import { PipelineWatch } from "./pipeline-watch.ts";

const project = { id: 2, path: "dtaas/user1", defaultBranch: "main", webUrl: "" };
const at = { user: "user1", project, id: 10 };
const never = { firstMs: 60_000, slowestMs: 60_000, afterEventMs: 1 }; // nothing but events makes it look
let asked: number;
let answer: () => PipelineDetails | undefined;
let stop: AbortController;

const details = (state: PipelineDetails["state"]): PipelineDetails => ({
  ...{ id: 10, projectId: 2, ref: "main", commit: "1", source: "api", createdAt: "", webUrl: "" },
  ...{
    state,
    startedAt: undefined,
    finishedAt: undefined,
    startedBy: undefined,
    problem: undefined,
    jobs: [],
  },
});
const pipelines = {
  show: async () => {
    asked += 1;
    return answer();
  },
};

beforeEach(() => {
  asked = 0;
  answer = () => details("running");
  stop = new AbortController();
  setMaxListeners(0, stop.signal);
});
afterEach(() => stop.abort());

/** Follows and notes the states, as one who looks does. */
function follow(watch: PipelineWatch): { states: string[]; ended: Promise<unknown> } {
  const states: string[] = [];
  const gone = new AbortController(); // each of them has a connection of its own
  stop.signal.addEventListener("abort", () => gone.abort(), { once: true });
  const ended = (async () => {
    for await (const { tree } of watch.follow(at, gone.signal)) states.push(tree.state);
  })().catch((error: unknown) => error);
  return { states, ended };
}

test("however many look at a pipeline, the host is asked once for all of them", async () => {
  const watch = new PipelineWatch(pipelines, never);
  const readers = Array.from({ length: 20 }, () => follow(watch));
  await until("all have seen it", async () => readers.every(({ states }) => states.length === 1));
  expect(asked).toBe(1);
  answer = () => details("succeeded");
  watch.changed(2);
  await Promise.all(readers.map(({ ended }) => ended));
  expect(asked).toBe(2);
  expect(readers.map(({ states }) => states)).toEqual(readers.map(() => ["running", "succeeded"]));
});

test("events of another project make nobody ask", async () => {
  const watch = new PipelineWatch(pipelines, never);
  const one = follow(watch);
  await until("it is seen", async () => one.states.length === 1);
  watch.changed(3);
  stop.abort();
  await one.ended;
  expect(asked).toBe(1);
});

test("without any event the end is found all the same", async () => {
  const watch = new PipelineWatch(pipelines, { firstMs: 5, slowestMs: 10, afterEventMs: 1 });
  const one = follow(watch);
  await until("it is seen", async () => one.states.length === 1);
  answer = () => details("cancelled");
  await one.ended;
  expect(one.states).toEqual(["running", "cancelled"]);
});

test("a host that is away for a while ends nothing; one that refuses ends it with its reason", async () => {
  const watch = new PipelineWatch(pipelines, { firstMs: 5, slowestMs: 10, afterEventMs: 1 });
  answer = () => {
    throw new TryLaterError("down", { retryAfterMs: 1 });
  };
  const one = follow(watch);
  await until("it was asked again", async () => asked > 2);
  answer = () => details("running");
  await until("it is seen", async () => one.states.length === 1);
  answer = () => {
    throw new ActionNeededError("FORGE_TOKEN_REFUSED", "401");
  };
  expect(await one.ended).toMatchObject({ code: "FORGE_TOKEN_REFUSED" });
});

test("when nobody looks any more, nobody is asked any more", async () => {
  const watch = new PipelineWatch(pipelines, { firstMs: 2, slowestMs: 2, afterEventMs: 1 });
  const one = follow(watch);
  await until("it is seen", async () => one.states.length === 1);
  stop.abort();
  await one.ended;
  const then = asked;
  const other = new PipelineWatch({ show: async () => details("succeeded") }, never);
  for (let time = 0; time < 20; time += 1)
    for await (const _ of other.follow(at, new AbortController().signal));
  expect(asked).toBeLessThanOrEqual(then + 1); // one may have been under way
});

test("a pipeline that was retried is followed anew", async () => {
  const watch = new PipelineWatch(pipelines, never);
  answer = () => details("failed");
  expect(await follow(watch).ended).toBeUndefined();
  answer = () => details("running");
  const again = follow(watch);
  await until("it is seen", async () => again.states.length === 1);
  expect(again.states).toEqual(["running"]);
});
