import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type DataFolder, runFolder } from "#core/data-folder";
import { isSystemError } from "#core/errors";
import type { RunDetails, RunView } from "#schemas/api";
import type { RunRequest } from "#schemas/desired-state";
import { checkRunManifest, checkRunOutcome, checkRunRequest } from "#schemas/documents/check-documents";
import { causeOfRequest, type RunManifest, type RunOutcome } from "#schemas/run";
import { JsonFileCache, type OnUnreadable } from "./json-file-cache.ts";
import { listFolder } from "./stored-documents.ts";

/** What is on disk of runs: asked for, under way and ended. */
export interface RunArchive {
  /** Newest first; with `before`, only runs older than that id. */
  list(user: string, twin: string, page: { limit: number; before?: string }): Promise<RunView[]>;
  get(user: string, twin: string, id: string): Promise<RunDetails | undefined>;
  newest(user: string, twin: string): Promise<RunView | undefined>;
}

export function runArchive(data: DataFolder, onUnreadable: OnUnreadable): RunArchive {
  const manifests = new JsonFileCache(checkRunManifest, onUnreadable);
  const outcomes = new JsonFileCache(checkRunOutcome, onUnreadable);
  const requests = new JsonFileCache(checkRunRequest, onUnreadable);

  async function get(user: string, twin: string, id: string): Promise<RunDetails | undefined> {
    const folder = runFolder(data, user, twin, id);
    const [manifest, result, asked, rejected, cancelRequested] = await Promise.all([
      manifests.read(join(folder, "manifest.json")),
      outcomes.read(join(folder, "outcome.json")),
      requests.read(join(data.requests, user, `${id}.json`)),
      requests.read(join(folder, "request.json")),
      exists(join(data.requests, user, `${id}.cancel`)),
    ]);
    const request = asked?.twin === twin ? asked : rejected;
    if (!manifest && !result && !request) return undefined;
    return { ...describe({ user, twin, id, manifest, result, request }), cancelRequested };
  }

  async function ids(user: string, twin: string): Promise<string[]> {
    const begun = await listFolder(join(data.runs, user, twin));
    const asked = (await listFolder(join(data.requests, user))).flatMap(
      (name) => /^([^.]+)\.json$/.exec(name)?.[1] ?? [],
    );
    return [...new Set([...begun, ...asked])].sort().reverse(); // ids begin with their time
  }

  async function list(
    user: string,
    twin: string,
    page: { limit: number; before?: string },
  ): Promise<RunView[]> {
    const found: RunView[] = [];
    for (const id of await ids(user, twin)) {
      if (page.before !== undefined && id >= page.before) continue;
      const run = await get(user, twin, id);
      if (!run) continue; // a request for another twin
      const { manifest: _manifest, result: _result, ...view } = run;
      found.push(view);
      if (found.length >= page.limit) break;
    }
    return found;
  }

  return { get, list, newest: async (user, twin) => (await list(user, twin, { limit: 1 }))[0] };
}

function describe(run: {
  user: string;
  twin: string;
  id: string;
  manifest: RunManifest | undefined;
  result: RunOutcome | undefined;
  request: RunRequest | undefined;
}): RunDetails {
  const { manifest, result, request } = run;
  const running = result?.stages.find((stage) => stage.name === "running");
  return {
    id: run.id,
    user: run.user,
    twin: run.twin,
    operation: manifest?.operation ?? request?.operation ?? null,
    cause: manifest?.cause ?? (request ? causeOfRequest(request) : null),
    state: result ? "ended" : manifest ? "running" : "waiting",
    cancelRequested: false,
    requestedBy: manifest?.requestedBy ?? request?.requestedBy ?? null,
    rerunOf: manifest?.rerunOf ?? request?.rerunOf ?? null,
    attempt: manifest?.attempt ?? null,
    revision: manifest?.revision ?? null,
    worktree: manifest?.worktree ?? request?.worktree ?? false,
    createdAt: request?.requestedAt ?? manifest?.createdAt ?? null,
    startedAt: result?.startedAt ?? running?.startedAt ?? null,
    finishedAt: result?.finishedAt ?? null,
    outcome: result?.outcome ?? null,
    exitCode: result?.exitCode ?? null,
    reason: result?.reason ?? null,
    manifest: manifest ?? null,
    result: result ?? null,
  };
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isSystemError(error, "ENOENT") || isSystemError(error, "ENOTDIR")) return false;
    throw error;
  }
}
