import { chmod, mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type DataFolder, snapshotPath } from "#core/data-folder";
import { isSystemError } from "#core/errors";
import type { PinnedSnapshot } from "#schemas/desired-state";
import { buildSnapshot } from "./build-snapshot.ts";
import { checkTree } from "./check-tree.ts";
import { GitReader } from "./git-reader.ts";
import { halfFolder, halfPath } from "./half-path.ts";
import { LateFlush } from "./late-flush.ts";
import type { FetchLargeFiles } from "./lfs/large-files.ts";
import type { Mirrors } from "./mirrors.ts";
import { Spares } from "./spares.ts";

const passingGraceMs = 30_000; // between a passing wish and the document that needs it lies a second or two

export interface SnapshotOnDisk extends PinnedSnapshot {
  /** ISO 8601: when it was made or last asked for. */
  usedAt: string;
}

/**
 * Immutable checkouts, one per revision, at `snapshotPath(data, project, commit)`. One that is there is whole: it was
 * built beside its place and renamed. It is flushed to disk a little later; after a power cut those that had not been are
 * removed at the start, and made again when they are asked for. Git itself never writes files here, so no filter, attribute or
 * hook of a repository has a say.
 */
export class Snapshots {
  readonly #data: DataFolder;
  readonly #mirrors: Mirrors;
  readonly #making = new Map<string, Promise<string>>();
  readonly #removing = new Map<string, Promise<void>>();
  /** When each was asked for last, in milliseconds since 1970: what the disk says may be a moment old. */
  readonly #askedAt = new Map<string, number>();
  /** When each was asked for last by somebody who says when it is no longer needed. */
  readonly #passingAt = new Map<string, number>();
  readonly #flush: LateFlush;
  readonly #large: FetchLargeFiles | undefined;
  readonly #spares: Spares;

  private constructor(
    data: DataFolder,
    mirrors: Mirrors,
    flush: LateFlush,
    { large, spares }: { large: FetchLargeFiles | undefined; spares: Spares },
  ) {
    this.#data = data;
    this.#spares = spares;
    this.#mirrors = mirrors;
    this.#flush = flush;
    this.#large = large;
  }

  /**
   * Makes the folder for snapshots and removes what a crash left half done, so that its space is there again. `large`
   * brings in what pointers of Git LFS stand for.
   */
  static async open(data: DataFolder, mirrors: Mirrors, large?: FetchLargeFiles): Promise<Snapshots> {
    await mkdir(data.snapshots, { recursive: true, mode: 0o700 });
    await chmod(data.snapshots, 0o700); // inside everybody may write, so nobody else may come in
    const half = halfFolder(data);
    await rm(half, { recursive: true, force: true });
    await mkdir(half, { mode: 0o700 });
    const flush = await LateFlush.open(data.snapshots);
    for (const project of await projectFolders(data)) {
      for (const name of await readdir(join(data.snapshots, project))) {
        const path = join(data.snapshots, project, name);
        if (isWhole(name) && (await flush.isSafe(path))) continue;
        const gone = halfPath(data, name);
        await rename(path, gone);
        await rm(gone, { recursive: true, force: true });
      }
    }
    await flush.begin();
    return new Snapshots(data, mirrors, flush, { large, spares: await Spares.open(data) });
  }

  /** Is the snapshot there? */
  async has({ project, commit }: PinnedSnapshot): Promise<boolean> {
    return (await stat(snapshotPath(this.#data, project, commit)).catch(() => undefined)) !== undefined;
  }

  /** Resolves when everything made so far is on disk. */
  async close(): Promise<void> {
    await this.#spares.close();
    await this.#flush.close();
  }

  /**
   * The folder of a revision, made when it is not there; calls for the same one share the work. The mirror must have
   * the commit. A tree that may not be written is `ActionNeededError("TREE_REFUSED")` with the path at fault; see
   * `GitReader.open` for what else can be wrong.
   */
  ensure(project: { id: number; path: string }, commit: string, signal?: AbortSignal): Promise<string> {
    const path = snapshotPath(this.#data, project.path, commit);
    this.#askedAt.set(path, Date.now());
    return this.#ensureOnce(path, project, commit, signal);
  }

  /**
   * The same for something short-lived: once nobody needs it any more it goes with the next sweep, unless somebody else has asked for it
   * meanwhile.
   */
  ensurePassing(
    project: { id: number; path: string },
    commit: string,
    signal?: AbortSignal,
  ): Promise<string> {
    const path = snapshotPath(this.#data, project.path, commit);
    this.#passingAt.set(path, Date.now());
    return this.#ensureOnce(path, project, commit, signal);
  }

  #ensureOnce(
    path: string,
    project: { id: number; path: string },
    commit: string,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const running = this.#making.get(path);
    if (running) return running;
    const removed = this.#removing.get(path) ?? Promise.resolve(); // half gone is as good as gone: it is made again
    const making = removed
      .then(() => this.#ensure(path, project, commit, signal))
      .finally(() => this.#making.delete(path));
    this.#making.set(path, making);
    return making;
  }

  /** Every whole snapshot. */
  async list(): Promise<SnapshotOnDisk[]> {
    const found: SnapshotOnDisk[] = [];
    for (const folder of await projectFolders(this.#data)) {
      for (const commit of await readdir(join(this.#data.snapshots, folder))) {
        if (!isWhole(commit)) continue;
        const about = await stat(join(this.#data.snapshots, folder, commit)).catch(() => undefined);
        if (about)
          found.push({ project: folder.replaceAll("+", "/"), commit, usedAt: about.mtime.toISOString() });
      }
    }
    return found;
  }

  /** Removes one snapshot; from the first moment on nobody finds a half of it. */
  async remove(project: string, commit: string): Promise<void> {
    const path = snapshotPath(this.#data, project, commit);
    const gone = halfPath(this.#data, commit);
    try {
      await rename(path, gone);
    } catch (error) {
      if (isSystemError(error, "ENOENT")) return;
      throw error;
    }
    await rm(gone, { recursive: true, force: true });
    await this.#flush.forget(path);
  }

  /**
   * Removes every snapshot that is not in `keep`, of no project in `spare`, and was not asked for within `graceMs`, up to the
   * very moment at which it would go. Resolves with what went.
   */
  async sweep(
    keep: Iterable<PinnedSnapshot>,
    graceMs: number,
    spare: ReadonlySet<string> = new Set(),
  ): Promise<PinnedSnapshot[]> {
    const kept = new Set([...keep].map((one) => snapshotPath(this.#data, one.project, one.commit)));
    const removed: PinnedSnapshot[] = [];
    for (const { project, commit, usedAt } of await this.list()) {
      const path = snapshotPath(this.#data, project, commit);
      if (kept.has(path) || spare.has(project)) continue;
      if (this.#isFresh(path, Date.parse(usedAt), graceMs) || this.#making.has(path)) continue;
      // Nothing is awaited between the question and this: whoever asks from now on waits until it is gone.
      const removing = this.remove(project, commit).finally(() => this.#removing.delete(path));
      this.#removing.set(path, removing);
      await removing;
      this.#askedAt.delete(path);
      this.#passingAt.delete(path);
      removed.push({ project, commit });
    }
    for (const project of new Set(removed.map((one) => one.project))) {
      const there = await readdir(dirname(snapshotPath(this.#data, project, "commit")));
      await this.#spares.sweep(project, new Set(there));
    }
    return removed;
  }

  /** Asked for so lately that a document which needs it may be on its way. */
  #isFresh(path: string, usedAtMs: number, graceMs: number): boolean {
    const nowMs = Date.now();
    const passingAtMs = this.#passingAt.get(path);
    if (nowMs - (this.#askedAt.get(path) ?? 0) < graceMs) return true;
    // The time on disk is that of the passing wish, too: it does not count then.
    return passingAtMs === undefined ? nowMs - usedAtMs < graceMs : nowMs - passingAtMs < passingGraceMs;
  }

  async #ensure(
    path: string,
    project: { id: number; path: string },
    commit: string,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    if (await touch(path)) return path;
    const reader = await GitReader.open(this.#mirrors, project.id, commit, signal);
    checkTree(reader);
    const large = this.#large;
    const made = await buildSnapshot({
      ...{ reader, path, data: this.#data, project: project.path },
      ...{ mirrors: this.#mirrors, spares: this.#spares },
      large: large && ((files) => large(project, files, signal)),
      ...(signal ? { signal } : {}),
    });
    if (made) this.#flush.soon(path);
    return path;
  }
}

/** Names of commits do not begin with a dot. */
function isWhole(name: string): boolean {
  return !name.startsWith(".");
}

async function projectFolders(data: DataFolder): Promise<string[]> {
  return (await readdir(data.snapshots)).filter((name) => !name.startsWith("."));
}

/** True when the snapshot is there; marks it as used now, so that a sweep at this moment spares it. */
async function touch(path: string): Promise<boolean> {
  try {
    const now = new Date();
    await utimes(path, now, now);
    return true;
  } catch (error) {
    if (isSystemError(error, "ENOENT") || isSystemError(error, "ENOTDIR")) return false;
    throw error;
  }
}
