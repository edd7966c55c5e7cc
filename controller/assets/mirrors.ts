import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import isomorphicGit from "isomorphic-git";
import { ActionNeededError, isSystemError, TryLaterError } from "#core/errors";
import { SerialByKey } from "#core/serial-by-key";
import type { ForgeProject } from "../forge/forge.ts";
import { probeRemote } from "./probe-remote.ts";
import { GitFailed, type GitOptions, runGit } from "./run-git.ts";

const fetchDeadlineMs = 5 * 60_000; // a first fetch of a large repository over a slow line
const maxPacks = 16; // each fetch leaves one; beyond this they are joined, so that reading stays quick
const maxPackBytes = 4 * 1024 ** 3; // what one fetch may add to a mirror; stops a repository that fills the disk
const sizeCheckMs = 500;
const retryAfterMs = 5_000;
const rebuildPauseMs = 10 * 60_000; // a mirror is not built anew for the same suspicion more often

/** Where and as whom a repository is fetched; see `Forge.gitAccess`. */
export interface GitAccess {
  url: string;
  username: string;
  password: string;
}

export interface MirrorsOptions {
  /** Holds one bare repository per project: `<project id>.git`. */
  folder: string;
  git: GitOptions;
  fetchDeadlineMs?: number;
  maxPackBytes?: number;
}

/**
 * Bare mirrors of the tracked branches. A mirror is a cache: one that turns out to be broken is built anew, and a
 * failed fetch leaves what was there as it was.
 */
export class Mirrors {
  readonly git: GitOptions;
  readonly #folder: string;
  readonly #deadlineMs: number;
  readonly #maxPackBytes: number;
  readonly #serial = new SerialByKey();
  readonly #suspects = new Set<number>();
  readonly #rebuiltAt = new Map<number, number>();
  readonly #swept = new Set<number>();

  constructor(options: MirrorsOptions) {
    this.git = options.git;
    this.#folder = options.folder;
    this.#deadlineMs = options.fetchDeadlineMs ?? fetchDeadlineMs;
    this.#maxPackBytes = options.maxPackBytes ?? maxPackBytes;
  }

  /** The bare repository of a project; it may not be there yet. */
  path(projectId: number): string {
    return join(this.#folder, `${projectId}.git`);
  }

  /** The commit that the mirror has for the default branch, without asking anybody; `undefined` when it has none. */
  async head(project: ForgeProject): Promise<string | undefined> {
    if (project.defaultBranch === undefined) return undefined;
    return readRef(this.path(project.id), project.defaultBranch);
  }

  /**
   * Fetches what changed on the default branch and resolves with its head commit; `undefined` for a repository
   * without commits. With `wanted`, nothing is fetched when the mirror's head is that commit already.
   * `TryLaterError` when the host is down or slow, `ActionNeededError` (`FORGE_TOKEN_REFUSED`, `PROJECT_NOT_FOUND`,
   * `REPOSITORY_TOO_LARGE`) when asking again does not help.
   */
  fetch(
    project: ForgeProject,
    access: GitAccess,
    options: { wanted?: string; signal?: AbortSignal } = {},
  ): Promise<string | undefined> {
    return this.#serial.run(String(project.id), async () => {
      const branch = project.defaultBranch;
      if (branch === undefined) return undefined;
      checkAccess(access, branch);
      const suspect = this.#suspects.has(project.id);
      if (!suspect && options.wanted !== undefined && (await this.head(project)) === options.wanted) {
        return options.wanted;
      }
      const mirror = this.path(project.id);
      if (suspect || !(await isThere(join(mirror, "HEAD")))) {
        return this.#rebuild(project.id, branch, access, options.signal);
      }
      await this.#sweepLocks(project.id);
      const problem = await this.#fetchInto(mirror, branch, access, options.signal);
      if (problem === undefined) {
        await this.#joinPacks(mirror);
        return readRef(mirror, branch);
      }
      if (problem === "empty") {
        await runGit(this.git, {
          ...quick,
          gitDir: mirror,
          args: ["update-ref", "-d", "--", `refs/heads/${branch}`],
        });
        return undefined;
      }
      // The host answers and has the branch, so the fault may lie in the mirror.
      if (!this.suspect(project.id))
        throw new TryLaterError(problem.message, { retryAfterMs, cause: problem });
      return this.#rebuild(project.id, branch, access, options.signal);
    });
  }

  /**
   * Somebody found a hole in this mirror: the next fetch builds it anew. `false` when it was built anew just now, so
   * that the fault lies elsewhere and a damaged repository does not make us fetch it for ever.
   */
  suspect(projectId: number): boolean {
    const rebuiltAt = this.#rebuiltAt.get(projectId);
    if (rebuiltAt !== undefined && performance.now() - rebuiltAt < rebuildPauseMs) return false;
    this.#suspects.add(projectId);
    return true;
  }

  /** Removes the mirror of a project that is no longer tracked. */
  remove(projectId: number): Promise<void> {
    return this.#serial.run(String(projectId), () =>
      rm(this.path(projectId), { recursive: true, force: true }),
    );
  }

  /** Builds a mirror beside the old one and changes places only when it is whole. */
  async #rebuild(
    projectId: number,
    branch: string,
    access: GitAccess,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const mirror = this.path(projectId);
    await this.#sweepLeftovers(projectId);
    const fresh = `${mirror}.new-${randomBytes(4).toString("hex")}`;
    try {
      await runGit(this.git, {
        ...quick,
        args: ["init", "--quiet", "--bare", "--template=", `--initial-branch=${branch}`, "--", fresh],
      });
      const problem = await this.#fetchInto(fresh, branch, access, signal);
      if (problem instanceof GitFailed) throw new TryLaterError(problem.message, { retryAfterMs });
      const old = `${mirror}.old-${randomBytes(4).toString("hex")}`;
      if (await isThere(mirror)) await rename(mirror, old);
      await rename(fresh, mirror);
      await rm(old, { recursive: true, force: true });
    } finally {
      await rm(fresh, { recursive: true, force: true });
    }
    if (this.#suspects.delete(projectId)) this.#rebuiltAt.set(projectId, performance.now());
    this.#swept.add(projectId);
    return readRef(mirror, branch);
  }

  /** `undefined`: fetched. `empty`: the branch is not there. `GitFailed`: the host is fine, git is not. */
  async #fetchInto(
    mirror: string,
    branch: string,
    access: GitAccess,
    signal: AbortSignal | undefined,
  ): Promise<"empty" | GitFailed | undefined> {
    const authorization = Buffer.from(`${access.username}:${access.password}`).toString("base64");
    const config = {
      "fetch.unpackLimit": "1", // always a pack, so that its growth can be watched
      [`http.${new URL(access.url).origin}/.extraHeader`]: `Authorization: Basic ${authorization}`,
    };
    const tooLarge = new AbortController();
    const before = await packBytes(mirror);
    const watch = setInterval(async () => {
      if ((await packBytes(mirror)) - before > this.#maxPackBytes) tooLarge.abort();
    }, sizeCheckMs);
    const refs = `+refs/heads/${branch}:refs/heads/${branch}`;
    const flags = ["--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"];
    try {
      await runGit(this.git, {
        gitDir: mirror,
        args: ["fetch", ...flags, "--no-recurse-submodules", "--", access.url, refs],
        config,
        signal: signal ? AbortSignal.any([signal, tooLarge.signal]) : tooLarge.signal,
        timeoutMs: this.#deadlineMs,
        maxOutputBytes: 1024 * 1024,
      });
      if (before === 0 && (await packBytes(mirror)) > this.#maxPackBytes) tooLarge.abort();
      tooLarge.signal.throwIfAborted();
      return undefined;
    } catch (error) {
      if (tooLarge.signal.aborted) {
        throw new ActionNeededError("REPOSITORY_TOO_LARGE", "The repository is larger than may be fetched", {
          hint: `Keep large files out of Git: one fetch may bring at most ${this.#maxPackBytes} bytes.`,
        });
      }
      if (!(error instanceof GitFailed)) throw error;
      if (error.reason !== "exit") throw new TryLaterError(error.message, { retryAfterMs, cause: error });
      await probeRemote(access, signal);
      const listed = await runGit(this.git, {
        args: ["ls-remote", "--quiet", "--", access.url, `refs/heads/${branch}`],
        config,
        signal,
        timeoutMs: 30_000,
        maxOutputBytes: 1024 * 1024,
      }).catch((cause: unknown) => {
        throw new TryLaterError(error.message, { retryAfterMs, cause });
      });
      return listed.length === 0 ? "empty" : error;
    } finally {
      clearInterval(watch);
    }
  }

  /** Joins small packs into larger ones. Nothing is thrown away, and a failure costs only time. */
  async #joinPacks(mirror: string): Promise<void> {
    const names = await readdir(join(mirror, "objects", "pack")).catch(() => []);
    if (names.filter((name) => name.endsWith(".pack")).length <= maxPacks) return;
    const call = { gitDir: mirror, args: ["repack", "--quiet", "-d", "--geometric=2"] };
    await runGit(this.git, { ...quick, ...call, timeoutMs: this.#deadlineMs }).catch(() => {});
  }

  /** A killed process leaves locks and half packs; the mirror is ours alone, so the first fetch takes them away. */
  async #sweepLocks(projectId: number): Promise<void> {
    if (this.#swept.has(projectId)) return;
    this.#swept.add(projectId);
    const mirror = this.path(projectId);
    const names = await readdir(mirror, { recursive: true }).catch(() => []);
    for (const name of names) {
      if (name.endsWith(".lock") || /^objects\/pack\/\.?tmp_/.test(name)) {
        await rm(join(mirror, name), { force: true });
      }
    }
  }

  async #sweepLeftovers(projectId: number): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      if (name.startsWith(`${projectId}.git.`))
        await rm(join(this.#folder, name), { recursive: true, force: true });
    }
  }
}

const quick = { timeoutMs: 10_000, maxOutputBytes: 64 * 1024 };

async function readRef(mirror: string, branch: string): Promise<string | undefined> {
  try {
    return await isomorphicGit.resolveRef({ fs, gitdir: mirror, ref: `refs/heads/${branch}` });
  } catch {
    return undefined; // no such ref, or no readable one; the fetch that follows sorts it out
  }
}

function checkAccess(access: GitAccess, branch: string): void {
  const url = new URL(access.url);
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new ActionNeededError(
      "PROTOCOL_REFUSED",
      `Repositories are fetched over HTTP, not ${url.protocol}`,
    );
  }
  if (!/^[^\p{Cc} ~^:?*[\\]+$/u.test(branch) || branch.startsWith("-") || branch.includes("..")) {
    throw new ActionNeededError(
      "BRANCH_NAME_REFUSED",
      `The branch name ${JSON.stringify(branch)} is refused`,
    );
  }
}

async function packBytes(mirror: string): Promise<number> {
  const folder = join(mirror, "objects", "pack");
  let bytes = 0;
  for (const name of await readdir(folder).catch(() => [])) {
    bytes += (await stat(join(folder, name)).catch(() => undefined))?.size ?? 0;
  }
  return bytes;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return false;
    throw error;
  }
}
