import { chmod, mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { DataFolder } from "#core/data-folder";
import { ActionNeededError, isSystemError } from "#core/errors";
import { isHarmless } from "./check-tree.ts";
import { GitReader } from "./git-reader.ts";
import { halfPath } from "./half-path.ts";
import type { Spares, SpareToMake } from "./spares.ts";
import { type TreeToWrite, writeTree } from "./write-tree.ts";

// From here on it is worth looking which files the snapshot before has already ...
const manyFiles = 100;
const manyBytes = 1024 * 1024;
const manyNames = 1_000; // ... and from here on that the next one is linked ahead.
const spareTurnMs = 5; // between two turns of linking ahead, so that nobody notices

export interface SnapshotToBuild extends Omit<TreeToWrite, "into" | "over" | "previous" | "turnMs"> {
  data: DataFolder;
  /** Full path of the project. */
  project: string;
  /** Where it will lie. */
  path: string;
  spares: Spares;
}

/**
 * Builds a snapshot out of sight and renames it. `false`: somebody else was faster. For a large one the next is linked
 * ahead a little later.
 */
export async function buildSnapshot(snapshot: SnapshotToBuild): Promise<boolean> {
  const { data, project, path, reader, spares } = snapshot;
  const parent = dirname(path);
  const building = halfPath(data, reader.commit);
  try {
    await mkdir(parent, { recursive: true });
    await chmod(parent, 0o755);
    const previous = isLittle(reader) ? undefined : await newest(snapshot);
    if (!(await isBuiltOver(snapshot, building, previous))) {
      await writeTree({ ...snapshot, into: building, previous });
    }
    if (!(await isRenamed(building, path))) return false;
  } catch (error) {
    await rm(building, { recursive: true, force: true });
    if (isSystemError(error, "ENOSPC") || isSystemError(error, "EDQUOT")) {
      throw new ActionNeededError("DISK_FULL", "There is no room for another snapshot", {
        hint: `Make room on the disk that holds ${data.snapshots}.`,
        cause: error,
      });
    }
    throw error;
  }
  if (reader.entries.length >= manyNames) spares.soon(project, spareOf(snapshot));
  return true;
}

/** A spare like this snapshot; keeps its name in memory and not its listing. */
function spareOf({ path, reader: { projectId, commit }, mirrors, large }: SnapshotToBuild): SpareToMake {
  const make = async (folder: string, signal: AbortSignal) => {
    const reader = await GitReader.open(mirrors, projectId, commit, signal);
    const previous = { folder: path, reader };
    await writeTree({ reader, mirrors, into: folder, previous, large, signal, turnMs: spareTurnMs });
  };
  return { commit, make };
}

/** Takes what was linked ahead and replaces what differs. `false`: there was none, or it was not as it should be. */
async function isBuiltOver(
  snapshot: SnapshotToBuild,
  building: string,
  previous: TreeToWrite["previous"],
): Promise<boolean> {
  const { project, reader, mirrors, spares } = snapshot;
  if (reader.entries.length < manyNames) return false;
  const spare = await spares.take(project, building);
  if (spare === undefined) return false;
  try {
    const over = await GitReader.open(mirrors, reader.projectId, spare);
    if (!isHarmless(over)) throw new Error("it cannot have been a snapshot");
    await writeTree({ ...snapshot, into: building, previous, over });
    const now = new Date();
    await utimes(building, now, now); // a snapshot's time is that of its last use
    return true;
  } catch (error) {
    if (error instanceof ActionNeededError || snapshot.signal?.aborted) throw error;
    await rm(building, { recursive: true, force: true }); // all of it is written then
    return false;
  }
}

async function isRenamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (!isSystemError(error, "ENOTEMPTY") && !isSystemError(error, "EEXIST")) throw error;
    await rm(from, { recursive: true, force: true });
    return false;
  }
}

/** The youngest other snapshot of the project: its unchanged files are linked instead of written again. */
async function newest({ path, reader, mirrors }: SnapshotToBuild): Promise<TreeToWrite["previous"]> {
  let found: { commit: string; usedAtMs: number } | undefined;
  const folder = dirname(path);
  for (const name of await readdir(folder)) {
    if (name === reader.commit || name.startsWith(".")) continue;
    const usedAtMs = (await stat(join(folder, name)).catch(() => undefined))?.mtimeMs ?? 0;
    if (found === undefined || usedAtMs > found.usedAtMs) found = { commit: name, usedAtMs };
  }
  if (found === undefined) return undefined;
  try {
    return {
      folder: join(folder, found.commit),
      reader: await GitReader.open(mirrors, reader.projectId, found.commit),
    };
  } catch {
    return undefined; // no longer in the mirror; everything is written then
  }
}

function isLittle({ entries }: GitReader): boolean {
  return entries.length < manyFiles && entries.reduce((sum, { bytes }) => sum + bytes, 0) < manyBytes;
}
