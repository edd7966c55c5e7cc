import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ActionNeededError, TryLaterError } from "#core/errors";
import { createLogger } from "#core/logger";
import type { RunDetails } from "#schemas/api";
import type { PipelineState } from "#schemas/pipelines";
import type { PipelineJob } from "../forge/forge-pipelines.ts";
import { JobRuns } from "./job-runs.ts";

const job = {
  ...{ jobId: 501, pipelineId: 500, projectId: 2, projectPath: "dtaas/user1", ref: "main" },
  ...{ isRefProtected: true, user: { id: 6, username: "user1" }, expiresAtMs: 0 },
};
let folder: string;
let state: PipelineState | "gone" | "away";
let runState: RunDetails["state"];
let cancelled: string[];
let aside: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "job-runs-"));
  state = "running";
  runState = "running";
  cancelled = [];
  aside = [];
});
afterEach(async () => await rm(folder, { recursive: true, force: true }));

/** As after a start: nothing is known but what is on disk. */
function jobRuns(): JobRuns {
  return new JobRuns({
    folder,
    pipelines: {
      job: async () => {
        if (state === "away") throw new TryLaterError("down", { retryAfterMs: 1 });
        return state === "gone" ? undefined : ({ state } as PipelineJob);
      },
    },
    runs: { get: async () => ({ state: runState }) as RunDetails },
    cancel: async ({ user, twin, id }, by) => {
      if (runState === "ended") throw new ActionNeededError("RUN_ENDED", "it has ended");
      cancelled.push(`${user}/${twin} ${id} by ${by}`);
    },
    logger: createLogger("test", "silent"),
    onSetAside: ({ path }) => void aside.push(path),
  });
}

const begin = () => jobRuns().note(job, { id: "r1", user: "user1", twin: "tank", operation: "execute" });

test.each(["cancelled", "cancelling", "failed", "gone"] as const)(
  "the run of a job that is %s is cancelled, once, in the name of the job's user",
  async (end) => {
    await begin();
    await jobRuns().lookAt(2, 501);
    expect(cancelled).toEqual([]);
    state = end;
    await jobRuns().lookAt(2, 502);
    await jobRuns().lookAt(3, 501);
    expect(cancelled).toEqual([]);
    await jobRuns().lookAt(2, 501);
    await jobRuns().lookAt(2, 501);
    expect(cancelled).toEqual(["user1/tank r1 by user1"]);
    expect(await readdir(folder)).toEqual([]);
  },
);

test("an event that never came is made up for by the look at all", async () => {
  await begin();
  state = "away";
  await jobRuns().lookAtAll();
  state = "cancelled";
  await jobRuns().lookAtAll();
  expect(cancelled).toEqual(["user1/tank r1 by user1"]);
});

test("a job that succeeds may leave behind what it has begun, and a run that has ended needs nothing", async () => {
  await begin();
  state = "succeeded";
  await jobRuns().lookAtAll();
  await begin();
  runState = "ended";
  state = "cancelled";
  await jobRuns().lookAtAll();
  expect(cancelled).toEqual([]);
  expect(await readdir(folder)).toEqual([]);
});

test("a note that cannot be understood is set aside, and the others are looked at", async () => {
  await begin();
  await writeFile(join(folder, "2-7-r2.json"), "{}");
  state = "cancelled";
  await jobRuns().lookAtAll();
  expect(cancelled).toHaveLength(1);
  expect(aside).toHaveLength(1);
});
