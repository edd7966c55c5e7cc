import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readJson, writeJsonAtomic } from "#core/atomic-file";
import { type DataFolder, dataFolder, runFolder } from "#core/data-folder";
import { createLogger } from "#core/logger";
import type { DesiredState, DesiredTwin, RunRequest } from "#schemas/desired-state";
import { checkRunRequest } from "#schemas/documents/check-documents";
import { desiredTwin, manifestOf, outcomeOf } from "../../test/fixtures/api-fixture.ts";
import { runArchive } from "../reading/run-archive.ts";
import { RequestBook } from "../requests/request-book.ts";
import { ScheduleMemory } from "./schedule-memory.ts";
import { Scheduler } from "./scheduler.ts";

let data: DataFolder;
let now: number;
let twins: DesiredTwin[];
let scheduler: Scheduler;

const at = (time: string) => {
  now = Date.parse(time);
};
const everyDay = { execute: { cron: "0 6 * * *", timeZone: "UTC" } };
const scheduled = (more: Partial<DesiredTwin> = {}) =>
  desiredTwin("tank", { state: "stopped", schedule: everyDay, ...more });

beforeEach(async () => {
  data = dataFolder(await mkdtemp(join(tmpdir(), "schedule-")));
  twins = [scheduled()];
  start();
});
afterEach(async () => await rm(data.root, { recursive: true, force: true }));

/** A new process over the same disk. */
function start(writing?: ScheduleMemory): void {
  const document = (): DesiredState => ({
    version: 1,
    user: "user1",
    generation: 1,
    writtenAt: "",
    project: { id: 1, path: "dtaas/user1" },
    revision: "1".repeat(40),
    twins,
    refused: [],
  });
  const runs = runArchive(data, (_path, error) => {
    throw error;
  });
  const requests = new RequestBook({
    data,
    documents: { desired: async () => document() },
    runs,
    nudgeUser: async () => undefined,
    onNudgeFailed: () => undefined,
    onSetAside: () => undefined,
  });
  scheduler = new Scheduler({
    desired: { all: () => [document()], get: document },
    memory: writing ?? new ScheduleMemory(data),
    requests,
    logger: createLogger("test", "silent"),
    now: () => now,
  });
}

async function look(time: string): Promise<void> {
  at(time);
  await scheduler.look("user1");
}

async function requests(): Promise<RunRequest[]> {
  const folder = join(data.requests, "user1");
  const names = (await readdir(folder).catch(() => [])).sort();
  return await Promise.all(names.map(async (name) => checkRunRequest(await readJson(join(folder, name)))));
}

/** The runner takes a request up and ends it. */
async function finish(request: RunRequest): Promise<void> {
  const folder = runFolder(data, "user1", "tank", request.runId);
  await writeJsonAtomic(
    join(folder, "manifest.json"),
    manifestOf({ id: request.runId, user: "user1", twin: "tank" }, { operation: request.operation }),
  );
  await writeJsonAtomic(join(folder, "outcome.json"), outcomeOf());
  await rm(join(data.requests, "user1", `${request.runId}.json`));
}

const memory = async () =>
  (await readJson(join(data.schedules, "user1.json"))) as Record<
    string,
    { last?: { skipped?: string; run?: string } }
  >;

test("an operation is asked for at its time, once, and the request says which time", async () => {
  await look("2026-01-01T05:00:00Z");
  await look("2026-01-01T05:59:59Z");
  expect(await requests()).toEqual([]);
  await look("2026-01-01T06:00:00Z");
  await look("2026-01-01T06:00:01Z");
  expect(await requests()).toMatchObject([
    { twin: "tank", operation: "execute", scheduledFor: "2026-01-01T06:00:00.000Z", requestedBy: "user1" },
  ]);
});

test("a schedule that is new does not make up for times before it", async () => {
  await look("2026-01-01T06:00:01Z");
  await look("2026-01-02T05:59:59Z");
  expect(await requests()).toEqual([]);
});

test("of the times missed while the platform was down, the latest is run, once", async () => {
  await look("2026-01-01T05:00:00Z");
  start();
  await look("2026-01-04T12:00:00Z");
  start();
  await look("2026-01-04T12:00:01Z");
  expect((await requests()).map(({ scheduledFor }) => scheduledFor)).toEqual(["2026-01-04T06:00:00.000Z"]);
});

test("a crash between asking and remembering does not make two runs of one time, even when the run has ended", async () => {
  await look("2026-01-01T05:00:00Z");
  class Forgetful extends ScheduleMemory {
    override async put(): Promise<void> {
      throw new Error("the process is dead");
    }
  }
  start(new Forgetful(data));
  await expect(look("2026-01-01T06:00:00Z")).rejects.toThrow("dead");
  const [first] = await requests();
  if (first) await finish(first);
  start();
  await look("2026-01-01T06:00:02Z");
  expect(await requests()).toEqual([]);
  expect(await readdir(join(data.runs, "user1", "tank"))).toEqual([first?.runId]);
  expect((await memory())["tank/execute"]?.last).toEqual({
    at: "2026-01-01T06:00:00.000Z",
    run: first?.runId,
  });
});

test("a time is skipped, and it is said, while the run before it has not ended", async () => {
  await look("2026-01-01T05:00:00Z");
  await look("2026-01-01T06:00:00Z");
  await look("2026-01-02T06:00:00Z");
  const [first, ...more] = await requests();
  expect(more).toEqual([]);
  expect((await memory())["tank/execute"]?.last).toEqual({
    at: "2026-01-02T06:00:00.000Z",
    skipped: `run ${first?.runId} of it has not ended`,
  });
  if (first) await finish(first);
  await look("2026-01-02T07:00:00Z");
  expect(await requests()).toEqual([]); // what was skipped stays skipped
  await look("2026-01-03T06:00:00Z");
  expect(await requests()).toHaveLength(1);
});

test("nothing is run while the twin is suspended, nor made up for afterwards", async () => {
  await look("2026-01-01T05:00:00Z");
  twins = [scheduled({ suspend: true })];
  await look("2026-01-01T06:00:00Z");
  expect((await memory())["tank/execute"]?.last?.skipped).toBe("the twin is suspended");
  twins = [scheduled()];
  await look("2026-01-01T06:00:05Z");
  expect(await requests()).toEqual([]);
  await look("2026-01-02T06:00:00Z");
  expect(await requests()).toHaveLength(1);
});

test("a changed time counts from now, and one that is gone is forgotten", async () => {
  await look("2026-01-01T05:00:00Z");
  twins = [scheduled({ schedule: { execute: { cron: "0 4 * * *", timeZone: "UTC" } } })];
  await look("2026-01-01T05:10:00Z");
  await look("2026-01-01T06:00:00Z");
  expect(await requests()).toEqual([]);
  await look("2026-01-02T04:00:00Z");
  expect(await requests()).toHaveLength(1);
  twins = [desiredTwin("tank")];
  await look("2026-01-02T04:00:01Z");
  expect(await memory()).toEqual({});
});

test("a clock that is set back does not run a time twice", async () => {
  await look("2026-01-01T05:00:00Z");
  await look("2026-01-01T06:00:00Z");
  await look("2026-01-01T05:30:00Z");
  await look("2026-01-01T06:00:00Z");
  expect(await requests()).toHaveLength(1);
});

test("a time that a broken disk does not let it ask for is asked for when the disk is well again", async () => {
  await look("2026-01-01T05:00:00Z");
  await writeJsonAtomic(join(data.requests, "user1"), "in the way");
  await expect(look("2026-01-01T06:00:00Z")).rejects.toThrow();
  await rm(join(data.requests, "user1"));
  await look("2026-01-01T06:00:02Z");
  expect(await requests()).toHaveLength(1);
});
