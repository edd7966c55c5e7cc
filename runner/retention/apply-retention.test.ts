import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeJsonAtomic } from "#core/atomic-file";
import { type DataFolder, dataFolder, runFolder } from "#core/data-folder";
import { newRunId } from "#core/run-id";
import { emptyMemory, type TwinMemory } from "#planning/memory";
import { manifestOf, outcomeOf } from "../../test/fixtures/api-fixture.ts";
import { RunStore } from "../runs/run-store.ts";
import {
  applyRetention,
  dropBuildLogs,
  emptyTrash,
  type RetentionDeps,
  usersWithRuns,
} from "./apply-retention.ts";

const day = 24 * 3_600_000;
const nowMs = Date.UTC(2026, 5, 1);
const times = { runsMs: 90 * day, logsMs: 30 * day };
let data: DataFolder;
let memory: TwinMemory;
let deps: RetentionDeps;

beforeEach(async () => {
  data = dataFolder(await mkdtemp(join(tmpdir(), "retention-")));
  memory = emptyMemory;
  deps = { data, runs: new RunStore(data, () => undefined), memory: { get: async () => memory } };
});
afterEach(async () => await rm(data.root, { recursive: true, force: true }));

async function writeRun(
  ageDays: number,
  options: { ended?: boolean; operation?: string } = {},
): Promise<string> {
  const endedMs = nowMs - ageDays * day;
  const id = newRunId(endedMs - 1_000);
  const folder = runFolder(data, "user1", "tank", id);
  const { operation = "execute" } = options;
  await writeJsonAtomic(
    join(folder, "manifest.json"),
    manifestOf({ id, user: "user1", twin: "tank" }, { operation }),
  );
  await mkdir(join(folder, "outputs"), { recursive: true });
  await writeFile(join(folder, "outputs", "result"), "42");
  await writeFile(
    join(folder, "log.ndjson"),
    '{"at":"2026-01-01T00:00:00Z","stream":"out","text":"secret words"}\n',
  );
  if (options.ended !== false) {
    await writeJsonAtomic(
      join(folder, "outcome.json"),
      outcomeOf({ finishedAt: new Date(endedMs).toISOString() }),
    );
  }
  return id;
}

const left = async () => (await readdir(join(data.runs, "user1", "tank"))).sort();
const log = async (id: string) =>
  await readFile(join(runFolder(data, "user1", "tank", id), "log.ndjson"), "utf8");

test("old runs go whole, middle-aged ones lose their log and say so, and doing it again does nothing", async () => {
  await writeRun(200);
  const middle = await writeRun(40);
  const young = await writeRun(1);
  expect(await applyRetention(deps, "user1", times, nowMs)).toEqual({ runs: 1, logs: 1 });
  expect(await left()).toEqual([middle, young].sort());
  expect(await log(middle)).toContain("no longer kept");
  expect(await log(middle)).not.toContain("secret");
  expect(await readFile(join(runFolder(data, "user1", "tank", middle), "outputs", "result"), "utf8")).toBe(
    "42",
  );
  expect(await log(young)).toContain("secret");
  expect(await applyRetention(deps, "user1", times, nowMs)).toEqual({ runs: 0, logs: 0 });
});

test("runs that are under way stay, by their outcome and by what is remembered", async () => {
  const running = await writeRun(200, { ended: false });
  const closing = await writeRun(201);
  await writeRun(1);
  memory = {
    ...emptyMemory,
    open: {
      [closing]: { operation: "execute", cause: "state", key: "k", attempt: 1, graceMs: 1, started: true },
    },
  };
  expect(await applyRetention(deps, "user1", times, nowMs)).toEqual({ runs: 0, logs: 0 });
  expect(await left()).toEqual(expect.arrayContaining([running, closing]));
});

test("a run that waits to be done again stays", async () => {
  const old = await writeRun(200);
  await writeRun(1);
  const request = { version: 1, user: "user1", twin: "tank", operation: "execute", requestedBy: "user1" };
  const runId = newRunId(nowMs);
  await writeJsonAtomic(join(data.requests, "user1", `${runId}.json`), {
    ...{ ...request, runId, rerunOf: old, requestedAt: new Date(nowMs).toISOString() },
  });
  expect((await applyRetention(deps, "user1", times, nowMs)).runs).toBe(0);
});

test("what a crash left half deleted is no user's, and goes with the next look", async () => {
  await writeRun(200);
  await writeRun(1);
  await applyRetention(deps, "user1", times, nowMs); // moved away, not deleted: as after a crash
  expect(await readdir(join(data.runs, ".trash", "user1"))).toHaveLength(1);
  expect(await usersWithRuns(data)).toEqual(["user1"]);
  await emptyTrash(data, "user1");
  expect(await readdir(join(data.runs, ".trash"))).toEqual([]);
});

test("logs of old builds go, what is remembered of failed ones stays", async () => {
  await mkdir(data.builds, { recursive: true });
  for (const name of ["old.ndjson", "old.failed.json", "new.ndjson"])
    await writeFile(join(data.builds, name), "x");
  const before = new Date(nowMs - 40 * day);
  for (const name of ["old.ndjson", "old.failed.json"]) await utimes(join(data.builds, name), before, before);
  expect(await dropBuildLogs(data, nowMs - 30 * day)).toBe(1);
  expect((await readdir(data.builds)).sort()).toEqual(["new.ndjson", "old.failed.json"]);
});
