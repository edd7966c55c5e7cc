import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { syncFolder, writeFileAtomic } from "#core/atomic-file";
import { type DataFolder, runFolder } from "#core/data-folder";
import { isSystemError } from "#core/errors";
import { runIdPattern } from "#core/run-id";
import type { LogLine } from "#schemas/run";
import { listFolder, type RunStore } from "../runs/run-store.ts";
import type { MemoryStore } from "../twins/memory-store.ts";
import { type KeptRun, planRetention, type RetentionTimes } from "./plan-retention.ts";

export interface RetentionDeps {
  data: DataFolder;
  runs: RunStore;
  memory: Pick<MemoryStore, "get">;
}

const noteBytes = 1024; // a log that may be our note; what is longer is a log

/**
 * Applies the platform's retention to one user's runs. Nothing else may work on this user meanwhile. A run that goes is
 * moved away in one step before it is deleted, so that nobody ever sees half of one; the next call goes on after a crash.
 */
export async function applyRetention(
  deps: RetentionDeps,
  user: string,
  times: RetentionTimes,
  nowMs: number,
): Promise<{ runs: number; logs: number }> {
  const { data } = deps;
  const done = { runs: 0, logs: 0 };
  const shortestMs = Math.min(
    times.runsMs ?? Number.POSITIVE_INFINITY,
    times.logsMs ?? Number.POSITIVE_INFINITY,
  );
  const { requests } = await deps.runs.requests(user);
  const wanted = new Set(requests.flatMap(({ rerunOf }) => rerunOf ?? []));
  for (const twin of await listFolder(join(data.runs, user))) {
    const ids = (await listFolder(join(data.runs, user, twin))).filter((id) => runIdPattern.test(id));
    if (!ids.some((id) => nowMs - madeAtMs(id) > shortestMs)) continue;
    const memory = await deps.memory.get(user, twin);
    const runs = await Promise.all(ids.map((runId) => keptRun(deps, { user, twin, runId }, memory.open)));
    const lastGood = memory.lastGood?.source.sourceKey;
    const plan = planRetention(runs, times, { nowMs, lastGood, wanted });
    for (const id of plan.runs) await discard(trashOf(data, user), runFolder(data, user, twin, id));
    for (const id of plan.logs) if (await dropLog(runFolder(data, user, twin, id))) done.logs += 1;
    done.runs += plan.runs.length;
  }
  return done;
}

/** Deletes for good what was moved away of this user's, by this process or by one that crashed. */
export async function emptyTrash(data: DataFolder, user: string): Promise<void> {
  await rm(trashOf(data, user), { recursive: true, force: true });
}

/** Removes the logs of image builds that were written last before `beforeMs`. */
export async function dropBuildLogs(data: DataFolder, beforeMs: number): Promise<number> {
  let gone = 0;
  for (const name of await listFolder(data.builds)) {
    if (!name.endsWith(".ndjson")) continue;
    const path = join(data.builds, name);
    if ((await stat(path)).mtimeMs >= beforeMs) continue;
    await rm(path, { force: true });
    gone += 1;
  }
  return gone;
}

async function keptRun(
  deps: RetentionDeps,
  name: { user: string; twin: string; runId: string },
  open: Record<string, unknown>,
): Promise<KeptRun> {
  const id = name.runId;
  const [outcome, manifest] = await Promise.all([deps.runs.outcome(name), deps.runs.manifest(name)]);
  const known = manifest ? { operation: manifest.operation, sourceKey: manifest.sourceKey } : {};
  if (!outcome || Object.hasOwn(open, id)) return { id, ...known };
  return { id, ...known, finishedAtMs: Date.parse(outcome.finishedAt) };
}

/** When a run was made, from its id. It cannot have ended before. */
function madeAtMs(id: string): number {
  return Number.parseInt(id.slice(1, 10), 36);
}

async function discard(trash: string, folder: string): Promise<void> {
  await mkdir(trash, { recursive: true });
  await rename(folder, join(trash, randomBytes(8).toString("hex")));
  await syncFolder(trash);
}

function trashOf(data: DataFolder, user: string): string {
  return join(data.runs, ".trash", user); // no user is called .trash
}

/** A note takes the place of the log. `false`: it did so before, or there is no log. */
async function dropLog(folder: string): Promise<boolean> {
  const path = join(folder, "log.ndjson");
  try {
    if ((await stat(path)).size <= noteBytes && (await readFile(path, "utf8")).includes(noteText))
      return false;
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return false;
    throw error;
  }
  const line: LogLine = { at: new Date().toISOString(), stream: "platform", text: noteText };
  await writeFileAtomic(path, `${JSON.stringify(line)}\n`);
  return true;
}

const noteText = "the log is no longer kept (retention.logs in platform.yaml)";

/** Users of whom runs are kept. */
export async function usersWithRuns(data: DataFolder): Promise<string[]> {
  try {
    const entries = await readdir(data.runs, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
      .map(({ name }) => name);
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return [];
    throw error;
  }
}
