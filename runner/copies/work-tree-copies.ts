import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { readJson, syncFolder, writeJsonAtomic } from "#core/atomic-file";
import type { DataFolder } from "#core/data-folder";
import { ActionNeededError, isSystemError, messageOf, TryLaterError } from "#core/errors";
import { runIdPattern } from "#core/run-id";
import type { TwinDefaults } from "#schemas/defaults";
import type { DesiredState, DesiredTwin, RunRequest } from "#schemas/desired-state";
import type { CopiedFiles } from "#schemas/run";
import type { WorkspaceContainers } from "../engine/workspace-containers.ts";
import { listFolder } from "../runs/run-store.ts";
import {
  copyDeadlineMs,
  maxCopiesPerUser,
  maxCopyBytes,
  maxCopyErrorBytes,
  maxCopyFiles,
} from "./copy-limits.ts";
import { copySource } from "./copy-source.ts";
import { type UnpackedCopy, unpackCopy } from "./unpack-copy.ts";

const script = "/run/dtaas/copy-work-tree";
const timedOut = 124;
const notRunning = 125;
const noSuchCommand = [126, 127];

/** A copy that is whole: it was made beside its place and renamed. */
export interface ReadyCopy {
  about: CopiedFiles;
  source: DesiredTwin;
}

type Known =
  | { state: "copying"; twin: string }
  | { state: "failed"; twin: string; reason: string }
  | ({ state: "ready"; twin: string } & ReadyCopy);

interface Kept extends ReadyCopy {
  version: 1;
  twin: string;
}

export interface CopiesDeps {
  data: DataFolder;
  /** Absent where the engine has no workspaces. */
  containers: WorkspaceContainers | undefined;
  desired(user: string): Promise<DesiredState | undefined>;
  defaults(): Promise<TwinDefaults | undefined>;
  templates: readonly string[];
}

/**
 * Copies of the files in workspaces, one for each run that asks for it. Git and everything that follows a path in the work tree
 * runs inside, as the user; what comes out is checked and written here. A copy lives as long as its run.
 */
export class WorkTreeCopies {
  readonly #deps: CopiesDeps;
  /** By user, then by run. */
  readonly #known = new Map<string, Map<string, Known>>();

  private constructor(deps: CopiesDeps) {
    this.#deps = deps;
  }

  /** Takes up what a former process has made, and removes what it left half done. */
  static async open(deps: CopiesDeps): Promise<WorkTreeCopies> {
    const copies = new WorkTreeCopies(deps);
    const { data } = deps;
    await mkdir(data.copies, { recursive: true, mode: 0o700 });
    for (const user of await listFolder(data.copies)) {
      for (const runId of await readdir(join(data.copies, user))) {
        const kept = runIdPattern.test(runId)
          ? await readJson(join(data.copies, user, runId, "copy.json")).catch(() => undefined)
          : undefined;
        const { version, twin, about, source } = (kept ?? {}) as Partial<Kept>;
        if (version === 1 && twin && about && source)
          copies.#note(user, runId, { state: "ready", twin, about, source });
        else await rm(join(data.copies, user, runId), { recursive: true, force: true });
      }
    }
    return copies;
  }

  /** Every copy of a user that is there, on its way or given up. */
  of(user: string): ReadonlyMap<string, Known> {
    return this.#known.get(user) ?? new Map();
  }

  /** What the whole ones run. */
  sources(user: string): DesiredTwin[] {
    return [...this.of(user).values()].flatMap((known) => (known.state === "ready" ? [known.source] : []));
  }

  /** `undefined` where there is none that is whole. */
  ready(user: string, runId: string): ReadyCopy | undefined {
    const known = this.of(user).get(runId);
    return known?.state === "ready" ? known : undefined;
  }

  /** Where the files of a copy lie. */
  folder(user: string, runId: string): string {
    return join(this.#deps.data.copies, user, runId, "tree");
  }

  /** Begins to copy. Returns at once; `done` is called when it is over. */
  start(request: RunRequest, done: () => void): void {
    const { user, runId, twin } = request;
    if (this.of(user).has(runId)) return;
    this.#note(user, runId, { state: "copying", twin });
    this.#make(request)
      .then(
        (copy) => this.#note(user, runId, { state: "ready", twin, ...copy }),
        (error: unknown) => {
          if (error instanceof TryLaterError)
            this.#known.get(user)?.delete(runId); // it is begun anew
          else this.#note(user, runId, { state: "failed", twin, reason: reasonOf(error) });
        },
      )
      .finally(done);
  }

  async remove(user: string, runId: string): Promise<void> {
    const place = join(this.#deps.data.copies, user, runId);
    const half = join(this.#deps.data.copies, user, `.half-${runId}`);
    await rename(place, half).catch(() => undefined);
    await rm(half, { recursive: true, force: true });
    this.#known.get(user)?.delete(runId);
  }

  async #make(request: RunRequest): Promise<ReadyCopy> {
    const { data, desired, defaults, templates } = this.#deps;
    const { user, runId, twin } = request;
    const own = join(data.copies, user);
    const half = join(own, `.half-${runId}`);
    await rm(half, { recursive: true, force: true });
    const others = this.sources(user);
    if (others.length >= maxCopiesPerUser) {
      throw new ActionNeededError(
        "COPIES_TOO_MANY",
        `${user} has ${others.length} runs of copies that have not ended`,
        {
          hint: "wait for some to end, or cancel some",
        },
      );
    }
    await mkdir(half, { recursive: true });
    try {
      const copy = await this.#copy(user, join(half, "tree"));
      const source = await copySource({
        ...{ data, request, folder: join(half, "tree"), copy, templates, others },
        desired: await desired(user),
        defaults: await defaults(),
      });
      const kept: Kept = { version: 1, twin, about: copy.about, source };
      await writeJsonAtomic(join(half, "copy.json"), kept);
      await rename(half, join(own, runId));
      await syncFolder(own);
      return kept;
    } catch (error) {
      await rm(half, { recursive: true, force: true });
      if (isSystemError(error, "ENOSPC") || isSystemError(error, "EDQUOT")) throw failed("the disk is full");
      throw error;
    }
  }

  async #copy(user: string, into: string): Promise<UnpackedCopy> {
    const { containers } = this.#deps;
    const running = (await containers?.list(user))?.find(({ state }) => state === "running");
    if (!containers || !running) throw noWorkspace(user);
    let copy: UnpackedCopy | undefined;
    const command = [script, String(maxCopyFiles), String(maxCopyBytes)];
    const limits = { timeoutMs: copyDeadlineMs, maxErrorBytes: maxCopyErrorBytes };
    const { exitCode, errors } = await containers.stream(running.id, command, limits, async (output) => {
      copy = await unpackCopy(output, into);
    });
    if (exitCode === 0 && copy) return copy;
    if (exitCode === notRunning) throw noWorkspace(user);
    const said = errors.trim().split("\n").at(-1)?.slice(0, 500);
    if (exitCode === timedOut) throw failed(`it took longer than ${copyDeadlineMs / 1000} s`);
    if (noSuchCommand.includes(exitCode)) {
      throw failed(
        "this needs a session that began with this version of the platform, and Git and Python 3 in its image",
      );
    }
    throw failed(said === undefined || said === "" ? `exit code ${exitCode}` : said);
  }

  #note(user: string, runId: string, known: Known): void {
    const mine = this.#known.get(user) ?? new Map<string, Known>();
    mine.set(runId, known);
    this.#known.set(user, mine);
  }
}

function noWorkspace(user: string): ActionNeededError {
  return new ActionNeededError("WORKSPACE_NOT_RUNNING", `the workspace of ${user} does not run`, {
    hint: `start it: dtaas workspace start ${user}`,
  });
}

function failed(why: string): ActionNeededError {
  return new ActionNeededError("COPY_FAILED", `the files of the workspace could not be copied: ${why}`);
}

function reasonOf(error: unknown): string {
  const hint = error instanceof ActionNeededError && error.hint !== undefined ? ` (${error.hint})` : "";
  return `${messageOf(error)}${hint}`;
}
