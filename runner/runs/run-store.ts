import { existsSync } from "node:fs";
import { chmod, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { readJson, writeFileAtomic, writeJsonAtomic, writeJsonUnflushed } from "#core/atomic-file";
import { type DataFolder, runFolder } from "#core/data-folder";
import { ActionNeededError, isSystemError } from "#core/errors";
import { type OnSetAside, readOrSetAside } from "#core/read-or-set-aside";
import { runIdPattern } from "#core/run-id";
import type { StopReason } from "#planning/facts";
import type { RunRequest } from "#schemas/desired-state";
import { checkRunManifest, checkRunOutcome, checkRunRequest } from "#schemas/documents/check-documents";
import type { RunManifest, RunOutcome } from "#schemas/run";
import type { Parameters } from "#schemas/twin-spec";

// Manifests kept in memory, those of runs under way above all; each has a few KiB.
const maxManifests = 1_000;

export interface RunName {
  user: string;
  twin: string;
  runId: string;
}

/** Why we ended a run; written before the stop signal, so that a crash does not turn a cancel into a failure. */
export interface Ending {
  reason: StopReason;
  explanation?: string;
}

/**
 * The runs on disk: manifest first, outcome last, each written in one step. What cannot be understood is set aside and counts as
 * not there: a run without manifest is taken for ended, one without outcome is closed again, a request is not done.
 */
export class RunStore {
  readonly #data: DataFolder;
  readonly #folderOf: (run: RunName) => string;
  readonly #manifests = new Map<string, RunManifest>();
  readonly #onSetAside: OnSetAside;

  /** `folderOf`: where a run lies, unless it is one of a live twin. */
  constructor(
    data: DataFolder,
    onSetAside: OnSetAside,
    folderOf: (run: RunName) => string = ({ user, twin, runId }) => runFolder(data, user, twin, runId),
  ) {
    this.#data = data;
    this.#folderOf = folderOf;
    this.#onSetAside = onSetAside;
  }

  folder(run: RunName): string {
    return this.#folderOf(run);
  }

  /** Keeps the one that is there. On disk when this resolves if somebody asked for the run; else soon. */
  async writeManifest(manifest: RunManifest): Promise<RunManifest> {
    const before = await this.manifest({ ...manifest, runId: manifest.id });
    if (before !== undefined) return before;
    const path = join(this.folder({ ...manifest, runId: manifest.id }), "manifest.json");
    if (manifest.requestedBy === undefined) writeJsonUnflushed(path, manifest);
    else await writeJsonAtomic(path, manifest);
    return manifest;
  }

  /** Read from disk once: a manifest never changes. */
  async manifest(run: RunName): Promise<RunManifest | undefined> {
    const path = join(this.folder(run), "manifest.json");
    const known = this.#manifests.get(path);
    if (known) return known;
    const manifest = await this.#read(path, checkRunManifest);
    if (manifest === undefined) return undefined;
    this.#manifests.set(path, manifest);
    const [oldest] = this.#manifests.keys();
    if (this.#manifests.size > maxManifests && oldest !== undefined) this.#manifests.delete(oldest);
    return manifest;
  }

  /** The folder that the run sees read-only at /run/dtaas: `parameters.json`. Written again it is the same. */
  async writeInputs(run: RunName, parameters: Parameters | undefined): Promise<string> {
    const folder = join(this.folder(run), "inputs");
    await writeFileAtomic(join(folder, "parameters.json"), `${JSON.stringify(parameters ?? {}, null, 2)}\n`);
    await chmod(folder, 0o755); // read inside by another uid, whatever the umask
    return folder;
  }

  async writeOutcome(run: RunName, outcome: RunOutcome): Promise<void> {
    await writeJsonAtomic(join(this.folder(run), "outcome.json"), outcome);
  }

  outcome(run: RunName): Promise<RunOutcome | undefined> {
    return this.#read(join(this.folder(run), "outcome.json"), checkRunOutcome);
  }

  async writeEnding(run: RunName, ending: Ending): Promise<void> {
    await writeJsonAtomic(join(this.folder(run), "ending.json"), ending);
  }

  ending(run: RunName): Promise<Ending | undefined> {
    return this.#read(join(this.folder(run), "ending.json"), checkEnding);
  }

  /** What was asked for one user and has not ended, oldest first, and which runs are to be cancelled. */
  async requests(user: string): Promise<{ requests: RunRequest[]; cancels: Set<string> }> {
    const folder = join(this.#data.requests, user);
    const requests: RunRequest[] = [];
    const cancels = new Set<string>();
    for (const name of (await listFolder(folder)).sort()) {
      const [runId = "", kind, more] = name.split(".");
      if (!runIdPattern.test(runId) || more !== undefined) continue;
      if (kind === "cancel") cancels.add(runId);
      if (kind !== "json") continue;
      const request = await this.#read(join(folder, name), checkRunRequest);
      if (!request) continue;
      const ended = join(this.folder({ user, twin: request.twin, runId }), "outcome.json");
      if (existsSync(ended)) await this.settleRequest(user, runId);
      else requests.push(request);
    }
    return { requests, cancels };
  }

  /** A request that never becomes a run: it is kept with its outcome, for the history. */
  async rejectRequest(run: RunName, outcome: RunOutcome): Promise<void> {
    const request = await readJson(join(this.#data.requests, run.user, `${run.runId}.json`));
    if (request !== undefined) await writeJsonAtomic(join(this.folder(run), "request.json"), request);
    await this.writeOutcome(run, outcome);
    await this.settleRequest(run.user, run.runId);
  }

  #read<T>(path: string, check: (value: unknown, path: string) => T): Promise<T | undefined> {
    return readOrSetAside(path, { check, onSetAside: this.#onSetAside });
  }

  async settleRequest(user: string, runId: string): Promise<void> {
    for (const kind of ["json", "cancel"]) {
      await rm(join(this.#data.requests, user, `${runId}.${kind}`), { force: true });
    }
  }
}

function checkEnding(value: unknown, path: string): Ending {
  const { reason, explanation } = (value ?? {}) as Partial<Record<keyof Ending, unknown>>;
  if (typeof reason === "string" && (explanation === undefined || typeof explanation === "string"))
    return value as Ending;
  throw new ActionNeededError("DOCUMENT_INVALID", `${path} does not say why a run was ended`);
}

export async function listFolder(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return [];
    throw error;
  }
}
