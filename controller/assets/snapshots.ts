import { randomBytes } from "node:crypto";
import { chmod, mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type DataFolder, snapshotPath } from "#core/data-folder";
import { isSystemError } from "#core/errors";
import type { PinnedSnapshot } from "#schemas/desired-state";
import { buildSnapshot } from "./build-snapshot.ts";
import { checkTree } from "./check-tree.ts";
import { GitReader } from "./git-reader.ts";
import { LateFlush } from "./late-flush.ts";
import type { FetchLargeFiles } from "./lfs/large-files.ts";
import type { Mirrors } from "./mirrors.ts";
import { Spares } from "./spares.ts";

const leftover = /^\.(new|gone)-/; // unfinished or half removed; names of commits do not begin with a dot

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
  readonly #flush: LateFlush;
  readonly #large: FetchLargeFiles | undefined;
  readonly #spares = new Spares();

  private constructor(
    data: DataFolder,
    mirrors: Mirrors,
    flush: LateFlush,
    large: FetchLargeFiles | undefined,
  ) {
    this.#data = data;
    this.#mirrors = mirrors;
    this.#flush = flush;
    this.#large = large;
  }

  /**
   * Makes the folder for snapshots and removes what a crash left half done. `large` brings in what pointers of Git LFS
   * stand for.
   */
  static async open(data: DataFolder, mirrors: Mirrors, large?: FetchLargeFiles): Promise<Snapshots> {
    await mkdir(data.snapshots, { recursive: true, mode: 0o700 });
    await chmod(data.snapshots, 0o700); // inside everybody may write, so nobody else may come in
    const flush = await LateFlush.open(data.snapshots);
    for (const project of await projectFolders(data)) {
      for (const name of await readdir(join(data.snapshots, project))) {
        const path = join(data.snapshots, project, name);
        if (leftover.test(name)) await rm(path, { recursive: true, force: true });
        else if (!(await flush.isSafe(path))) {
          const gone = join(data.snapshots, project, `.gone-${name}`);
          await rename(path, gone);
          await rm(gone, { recursive: true, force: true });
        }
      }
    }
    await flush.begin();
    return new Snapshots(data, mirrors, flush, large);
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
        if (commit.startsWith(".")) continue;
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
    const gone = join(dirname(path), `.gone-${commit}-${randomBytes(4).toString("hex")}`);
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
      const usedAtMs = Math.max(Date.parse(usedAt), this.#askedAt.get(path) ?? 0);
      if (Date.now() - usedAtMs < graceMs || this.#making.has(path)) continue;
      // Nothing is awaited between the question and this: whoever asks from now on waits until it is gone.
      const removing = this.remove(project, commit).finally(() => this.#removing.delete(path));
      this.#removing.set(path, removing);
      await removing;
      this.#askedAt.delete(path);
      removed.push({ project, commit });
    }
    for (const folder of new Set(removed.map((one) => dirname(snapshotPath(this.#data, one.project, "x"))))) {
      await this.#spares.sweep(folder, new Set(await readdir(folder)));
    }
    return removed;
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
      ...{ reader, path, mirrors: this.#mirrors, spares: this.#spares },
      large: large && ((files) => large(project, files, signal)),
      ...(signal ? { signal } : {}),
    });
    if (made) this.#flush.soon(path);
    return path;
  }
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
