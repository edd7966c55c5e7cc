import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { chmod, copyFile, open } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { isSystemError } from "#core/errors";
import type { GitEntry } from "./git-entry.ts";
import type { GitReader } from "./git-reader.ts";
import type { LargeFile } from "./lfs/large-files.ts";
import { parseLfsPointer } from "./lfs/lfs-pointer.ts";
import type { Mirrors } from "./mirrors.ts";

const entriesPerTurn = 32; // written at once, a millisecond or two; then everybody else has their turn
const smallBlobBytes = 256 * 1024; // larger ones are streamed
const deadlineMs = 10 * 60_000;

// Twins run as another user on an overlay above the snapshot, and a file that is copied up keeps its mode. The snapshot
// itself is mounted read-only and its parent folder lets nobody else in.
const folderMode = 0o777;
const fileMode = 0o666;
const executableMode = 0o777;

export interface TreeToWrite {
  /** Checked: names and links have been found harmless. */
  reader: GitReader;
  mirrors: Mirrors;
  /** Must not exist. */
  into: string;
  /** A whole snapshot of the same project whose equal files are hard-linked. */
  previous?: { folder: string; reader: GitReader } | undefined;
  /** Brings in what pointers of Git LFS stand for; without it they are written as they are. */
  large?: ((files: readonly LargeFile[]) => Promise<(oid: string) => string>) | undefined;
  signal?: AbortSignal;
}

/**
 * Writes a revision to a new folder: folders, then files, links last, so that nothing is written through a link. A few
 * entries at a time are written by synchronous calls, which cost a third of the processor time of the others.
 */
export async function writeTree(tree: TreeToWrite): Promise<void> {
  const { entries, linkTargets } = tree.reader;
  const turn = turns();
  makeFolder(tree.into);
  for (const entry of entries) {
    if (entry.kind !== "folder") continue;
    makeFolder(join(tree.into, entry.path));
    await turn();
  }
  const missing = await linkUnchanged(tree, turn);
  const pointers = await writeFiles(tree, missing, turn);
  if (tree.large && pointers.length > 0) {
    await writeLargeFiles(tree.into, pointers, await tree.large(pointers));
  }
  for (const [path, target] of linkTargets) symlinkSync(target, join(tree.into, path));
}

type Turn = () => Promise<void> | undefined;

function turns(): Turn {
  let entries = 0;
  return () => {
    entries += 1;
    return entries % entriesPerTurn === 0 ? setImmediate() : undefined;
  };
}

/** Links what the previous snapshot has; resolves with the files that are still to be written. */
async function linkUnchanged(tree: TreeToWrite, turn: Turn): Promise<GitEntry[]> {
  const files = tree.reader.entries.filter((entry) => entry.kind === "file");
  const { previous } = tree;
  if (previous === undefined) return files;
  let others: Map<string, string> | undefined; // by content, for those that are not where they were
  const missing: GitEntry[] = [];
  for (const file of files) {
    let twin: string | undefined = file.path;
    if (!isSameFile(previous.reader.listed(twin), file)) {
      others ??= pathsByContent(previous.reader.entries);
      twin = others.get(contentKey(file));
    }
    // Both are checked names below a folder; `join` would look for ".." in each of them again.
    if (twin === undefined || !isLinked(`${previous.folder}/${twin}`, `${tree.into}/${file.path}`)) {
      missing.push(file);
    }
    await turn();
  }
  return missing;
}

function isSameFile(before: GitEntry | undefined, file: GitEntry): boolean {
  return before?.id === file.id && before.kind === "file" && before.executable === file.executable;
}

function pathsByContent(entries: readonly GitEntry[]): Map<string, string> {
  return new Map(
    entries.flatMap((entry) => (entry.kind === "file" ? [[contentKey(entry), entry.path]] : [])),
  );
}

function isLinked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (["ENOENT", "EMLINK", "EPERM", "EXDEV"].some((code) => isSystemError(error, code))) return false;
    throw error;
  }
}

interface Pointer extends LargeFile {
  executable: boolean;
}

/** Writes them, but for pointers to large files, which it resolves with. */
async function writeFiles(tree: TreeToWrite, files: GitEntry[], turn: Turn): Promise<Pointer[]> {
  const pointers: Pointer[] = [];
  const byId = new Map<string, GitEntry[]>();
  for (const file of files) {
    const same = byId.get(file.id);
    if (same) same.push(file);
    else byId.set(file.id, [file]);
  }
  const deadline = AbortSignal.timeout(deadlineMs);
  await tree.mirrors.blobs(
    tree.reader.projectId,
    [...byId.keys()],
    async (id, blob) => {
      const targets = byId.get(id) ?? [];
      if (blob.bytes > smallBlobBytes) {
        await writeLarge(tree.into, targets, blob.pieces);
        return;
      }
      const content = await blob.all();
      const pointer = tree.large && parseLfsPointer(content);
      for (const target of targets) {
        if (pointer) {
          pointers.push({ ...pointer, path: target.path, executable: target.executable });
          continue;
        }
        writeFile(join(tree.into, target.path), target.executable, content);
        await turn();
      }
    },
    tree.signal ? AbortSignal.any([tree.signal, deadline]) : deadline,
  );
  return pointers;
}

/** One inode for all snapshots; an executable one, whose mode differs, is a copy. */
async function writeLargeFiles(
  into: string,
  pointers: Pointer[],
  placeOf: (oid: string) => string,
): Promise<void> {
  for (const { path, oid, executable } of pointers) {
    const target = join(into, path);
    if (!executable && isLinked(placeOf(oid), target)) continue;
    await copyFile(placeOf(oid), target, constants.COPYFILE_EXCL);
    await chmod(target, executable ? executableMode : fileMode);
  }
}

function writeFile(path: string, executable: boolean, content: Uint8Array): void {
  const file = openSync(path, "wx", 0o600);
  try {
    for (let written = 0; written < content.length; ) written += writeSync(file, content, written);
    fchmodSync(file, executable ? executableMode : fileMode); // the process's umask has no say
  } finally {
    closeSync(file);
  }
}

async function writeLarge(
  into: string,
  targets: GitEntry[],
  pieces: (take: (piece: Buffer) => Promise<void>) => Promise<void>,
): Promise<void> {
  const [first, ...others] = targets;
  if (first === undefined) return;
  const path = join(into, first.path);
  const file = await open(path, "wx", 0o600);
  try {
    await pieces((piece) => file.writeFile(piece));
    await file.chmod(first.executable ? executableMode : fileMode);
  } finally {
    await file.close();
  }
  for (const other of others) {
    await copyFile(path, join(into, other.path), constants.COPYFILE_EXCL);
    await chmod(join(into, other.path), other.executable ? executableMode : fileMode);
  }
}

function makeFolder(path: string): void {
  mkdirSync(path, { mode: 0o700 });
  chmodSync(path, folderMode);
}

function contentKey(entry: GitEntry): string {
  return `${entry.id} ${entry.executable}`;
}
