import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import isomorphicGit from "isomorphic-git";
import { LRUCache } from "lru-cache";
import { isSystemError } from "#core/errors";
import { SerialByKey } from "#core/serial-by-key";
import type { ForgeProject } from "../forge/forge.ts";
import { checkAccess, fetchBranch, type Renamed } from "./fetch-branch.ts";
import { fetchWatched, type GitAccess, later } from "./fetch-watched.ts";
import type { GitEntry } from "./git-entry.ts";
import { listTree } from "./list-tree.ts";
import { Listings } from "./listings.ts";
import { probeRemote } from "./probe-remote.ts";
import { type PassingBlob, readBlobs } from "./read-blobs.ts";
import { GitFailed, type GitOptions, runGit } from "./run-git.ts";
import { fetchSmall } from "./small/fetch-small.ts";
import { SmallRepository } from "./small/small-repository.ts";

const fetchDeadlineMs = 5 * 60_000; // a first fetch of a large repository over a slow line
const maxPacks = 16; // each fetch leaves one; beyond this they are joined, so that reading stays quick
const maxPackBytes = 4 * 1024 ** 3; // what one fetch may add to a mirror; stops a repository that fills the disk
// What a merge request may add to a mirror: it may come from anybody who sees the project.
const maxProposedBytes = 256 * 1024 ** 2;
const rebuildPauseMs = 10 * 60_000; // a mirror is not built anew for the same suspicion more often
// Small mirrors in memory: as many as are worked on, and some more. Others are read again, which takes a millisecond.
const maxHeld = 32;
const maxHeldBytes = 8 * 1024 * 1024;

// As `git init` writes it.
const mirrorConfig = `[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
`;

export interface MirrorsOptions {
  /** Holds one bare repository per project: `<project id>.git`. */
  folder: string;
  git: GitOptions;
  fetchDeadlineMs?: number;
  maxPackBytes?: number;
  /** Small mirrors are fetched and read without starting git, unless this says otherwise. */
  small?: "in process" | "with git";
}

/**
 * Bare mirrors of the tracked branches. A mirror is a cache: one that turns out to be broken is built anew, and a
 * failed fetch leaves what was there as it was.
 */
export class Mirrors {
  readonly git: GitOptions;
  readonly listings = new Listings();
  readonly #folder: string;
  readonly #call: { git: GitOptions; deadlineMs: number; maxPackBytes: number };
  readonly #serial = new SerialByKey();
  readonly #suspects = new Set<number>();
  readonly #rebuiltAt = new Map<number, number>();
  readonly #swept = new Set<number>();
  readonly #allowsSmall: boolean;
  readonly #small = new LRUCache<number, SmallRepository>({
    max: maxHeld,
    maxSize: maxHeldBytes,
    sizeCalculation: (repository) => repository.bytes + 1,
  });

  constructor(options: MirrorsOptions) {
    this.git = options.git;
    this.#folder = options.folder;
    this.#allowsSmall = options.small !== "with git";
    this.#call = {
      git: options.git,
      deadlineMs: options.fetchDeadlineMs ?? fetchDeadlineMs,
      maxPackBytes: options.maxPackBytes ?? maxPackBytes,
    };
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
   * without commits. A default branch that was renamed since `project` was read is followed. With `wanted`, nothing is fetched when the mirror's head is that commit already.
   * `TryLaterError` when the host is down or slow, `ActionNeededError` (`FORGE_TOKEN_REFUSED`, `PROJECT_NOT_FOUND`,
   * `REPOSITORY_TOO_LARGE`) when asking again does not help.
   */
  fetch(
    project: ForgeProject,
    access: GitAccess,
    options: { wanted?: string; signal?: AbortSignal } = {},
  ): Promise<string | undefined> {
    return this.#serial.run(String(project.id), async () => {
      const asked = project.defaultBranch;
      if (asked === undefined) return undefined;
      const found = await this.#fetchBranch(project.id, asked, access, options);
      if (typeof found !== "object") return found;
      // What we hold for the default branch is no branch any more; the host's HEAD names the one that is now.
      const now = await this.#fetchBranch(project.id, found.renamedTo, access, options);
      return typeof now === "object" ? undefined : now;
    });
  }

  /**
   * Fetches what a merge request would bring: `refs/merge-requests/<iid>/head`, and the commit of merging it where there is one.
   * Resolves with what the refs point to now. Errors as for `fetch`; one that brings more than `maxPackBytes` leaves nothing.
   */
  fetchMergeRequest(
    project: ForgeProject,
    iid: number,
    access: GitAccess,
    options: { withResult: boolean; signal?: AbortSignal },
  ): Promise<{ head: string | undefined; result: string | undefined }> {
    return this.#serial.run(String(project.id), async () => {
      const mirror = this.path(project.id);
      if (!(await isThere(join(mirror, "HEAD")))) throw later("The repository is not fetched yet", undefined);
      await this.#sweepLocks(project.id);
      const names = options.withResult ? ["head", "merge"] : ["head"];
      const refs = await Promise.all(
        names.map(async (name) => {
          const ref = `refs/merge-requests/${iid}/${name}`;
          const theirs = `${access.mergeRequestRefs ?? "refs/merge-requests"}/${iid}/${name}`;
          return { name: ref, theirs, now: await resolveRef(mirror, ref) };
        }),
      );
      checkAccess(access, `merge-requests/${iid}`);
      const call = { ...this.#call, maxPackBytes: Math.min(this.#call.maxPackBytes, maxProposedBytes) };
      const failed = await fetchWatched({ ...call, mirror, refs, access, signal: options.signal });
      this.#small.delete(project.id); // it has one more pack
      if (failed) {
        await probeRemote(access, options.signal);
        throw later(`The refs of merge request !${iid} are not there yet`, failed);
      }
      await this.#joinPacks(project.id, mirror);
      const [head, result] = await Promise.all(refs.map(({ name }) => resolveRef(mirror, name)));
      return { head, result };
    });
  }

  /** What a merge request brought is no longer needed. */
  forgetMergeRequest(projectId: number, iid: number): Promise<void> {
    return this.#serial.run(String(projectId), async () => {
      const mirror = this.path(projectId);
      for (const name of ["head", "merge"]) {
        const ref = `refs/merge-requests/${iid}/${name}`;
        if ((await resolveRef(mirror, ref)) === undefined) continue;
        await runGit(this.git, { ...quick, gitDir: mirror, args: ["update-ref", "-d", "--", ref] });
      }
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
    return this.#serial.run(String(projectId), async () => {
      this.#small.delete(projectId);
      this.listings.forget(projectId);
      await rm(this.path(projectId), { recursive: true, force: true });
    });
  }

  /**
   * Everything in the tree of a commit, parents before children, as Git lists it. `ActionNeededError("TREE_REFUSED")` for
   * more names than `maxTreeEntries` or one that is no UTF-8; `GitFailed` when it cannot be read.
   */
  async list(projectId: number, commit: string, signal: AbortSignal | undefined): Promise<GitEntry[]> {
    const known = this.listings.newest(projectId);
    const small = await this.#openSmall(projectId);
    return (
      (await small?.list(commit, known).catch(unlessRefused)) ??
      (await listTree({ git: this.git, gitDir: this.path(projectId) }, commit, signal, known))
    );
  }

  /** Hands over blobs by id, in the given order; see `readBlobs`. */
  async blobs(
    projectId: number,
    ids: readonly string[],
    take: (id: string, blob: PassingBlob) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const small = await this.#openSmall(projectId);
    let rest = ids;
    while (small !== undefined && rest.length > 0) {
      const [id = ""] = rest;
      const content = await small.blob(id).catch(unlessRefused);
      if (content === undefined) break; // git has the last word on what is there
      signal.throwIfAborted();
      await take(id, passing(content));
      rest = rest.slice(1);
    }
    await readBlobs({ git: this.git, gitDir: this.path(projectId) }, rest, take, signal);
  }

  async #openSmall(projectId: number): Promise<SmallRepository | undefined> {
    if (!this.#allowsSmall) return undefined;
    const held = this.#small.get(projectId);
    if (held) return held;
    const opened = await SmallRepository.open(this.path(projectId));
    if (opened) this.#small.set(projectId, opened);
    return opened;
  }

  async #fetchBranch(
    projectId: number,
    branch: string,
    access: GitAccess,
    options: { wanted?: string; signal?: AbortSignal },
  ): Promise<string | undefined | Renamed> {
    checkAccess(access, branch);
    const mirror = this.path(projectId);
    const suspect = this.#suspects.has(projectId);
    const { wanted, signal } = options;
    if (!suspect && wanted !== undefined && (await readRef(mirror, branch)) === wanted) return wanted;
    if (suspect || !(await isThere(join(mirror, "HEAD")))) {
      return this.#rebuild(projectId, branch, access, signal);
    }
    await this.#sweepLocks(projectId);
    const small = await this.#openSmall(projectId);
    const problem = await this.#fetchInto(projectId, small, { mirror, branch, access, signal });
    if (problem === undefined) {
      await this.#joinPacks(projectId, mirror);
      return readRef(mirror, branch);
    }
    if (problem instanceof GitFailed) {
      // The host answers and has the branch, so the fault may lie in the mirror.
      if (!this.suspect(projectId)) throw later(problem.message, problem);
      return this.#rebuild(projectId, branch, access, signal);
    }
    const args = ["update-ref", "-d", "--", `refs/heads/${branch}`];
    await runGit(this.git, { ...quick, gitDir: mirror, args });
    return problem === "empty" ? undefined : problem;
  }

  /** Fetches without git what is small; see `fetchBranch` for the rest. */
  async #fetchInto(
    projectId: number,
    small: SmallRepository | undefined,
    fetch: { mirror: string; branch: string; access: GitAccess; signal: AbortSignal | undefined },
  ) {
    const head = await readRef(fetch.mirror, fetch.branch);
    if (small !== undefined) {
      const done = await fetchSmall({ ...fetch, held: small, head });
      if (done?.held) this.#small.set(projectId, done.held);
      else this.#small.delete(projectId);
      if (done) return undefined;
    }
    return await fetchBranch({ ...this.#call, ...fetch, head });
  }

  /** Builds a mirror beside the old one and changes places only when it is whole. */
  async #rebuild(
    projectId: number,
    branch: string,
    access: GitAccess,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined | Renamed> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const mirror = this.path(projectId);
    await this.#sweepLeftovers(projectId);
    const fresh = `${mirror}.new-${randomBytes(4).toString("hex")}`;
    try {
      await makeMirror(fresh, branch);
      const small = this.#allowsSmall ? SmallRepository.empty(fresh) : undefined;
      const problem = await this.#fetchInto(projectId, small, { mirror: fresh, branch, access, signal });
      this.#small.delete(projectId); // it has another name soon
      if (problem instanceof GitFailed) throw later(problem.message, problem);
      if (typeof problem === "object") return problem;
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

  /** Joins small packs into larger ones. Nothing is thrown away, and a failure costs only time. */
  async #joinPacks(projectId: number, mirror: string): Promise<void> {
    const names = await readdir(join(mirror, "objects", "pack")).catch(() => []);
    if (names.filter((name) => name.endsWith(".pack")).length <= maxPacks) return;
    const call = { gitDir: mirror, args: ["repack", "--quiet", "-d", "--geometric=2"] };
    await runGit(this.git, { ...quick, ...call, timeoutMs: this.#call.deadlineMs }).catch(() => {});
    this.#small.delete(projectId);
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

/** An empty bare repository, as `git init --bare` makes it. */
async function makeMirror(folder: string, branch: string): Promise<void> {
  await mkdir(join(folder, "objects", "pack"), { recursive: true, mode: 0o700 });
  await mkdir(join(folder, "objects", "info"));
  await mkdir(join(folder, "refs", "heads"), { recursive: true });
  await writeFile(join(folder, "HEAD"), `ref: refs/heads/${branch}\n`);
  await writeFile(join(folder, "config"), mirrorConfig);
}

function passing(content: Uint8Array): PassingBlob {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  return { bytes: bytes.length, all: async () => bytes, pieces: (take) => take(bytes) };
}

/** What isomorphic-git cannot read may be readable all the same. */
function unlessRefused(error: unknown): undefined {
  if (error instanceof GitFailed) return undefined;
  throw error;
}

async function readRef(mirror: string, branch: string): Promise<string | undefined> {
  const loose = await readFile(join(mirror, "refs", "heads", branch), "latin1").catch(() => "");
  if (/^[0-9a-f]{40}\n$/.test(loose)) return loose.slice(0, -1);
  return await resolveRef(mirror, `refs/heads/${branch}`);
}

async function resolveRef(mirror: string, ref: string): Promise<string | undefined> {
  try {
    return await isomorphicGit.resolveRef({ fs, gitdir: mirror, ref });
  } catch {
    return undefined; // no such ref, or no readable one; the fetch that follows sorts it out
  }
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
