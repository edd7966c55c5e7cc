import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  linkSync,
  mkdirSync,
  openSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { chmod, copyFile, open } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
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
  /** Must not exist, unless it holds `over`. */
  into: string;
  /** What `into` holds already, link for link and file for file as it was written here: checked as well. */
  over?: GitReader | undefined;
  /** A whole snapshot of the same project whose equal files are hard-linked. */
  previous?: { folder: string; reader: GitReader } | undefined;
  /** Brings in what pointers of Git LFS stand for; without it they are written as they are. */
  large?: ((files: readonly LargeFile[]) => Promise<(oid: string) => string>) | undefined;
  signal?: AbortSignal;
  /** Pause after every few entries; everybody else has a turn there anyway. */
  turnMs?: number;
}

/**
 * Writes a revision to a new folder: folders, then files, links last, so that nothing is written through a link. Over another
 * revision, what differs goes first. A few entries at a time are written by synchronous calls, which cost a third of the
 * processor time of the others.
 */
export async function writeTree(tree: TreeToWrite): Promise<void> {
  const { linkTargets } = tree.reader;
  const turn = turns(tree);
  if (tree.over) await removeChanged(tree.into, tree.over, tree.reader, turn);
  else makeFolder(tree.into);
  const entries = tree.reader.entries.filter((entry) => !isSame(tree.over?.listed(entry.path), entry));
  for (const entry of entries) {
    if (entry.kind !== "folder") continue;
    makeFolder(join(tree.into, entry.path));
    await turn();
  }
  const missing = await linkUnchanged(
    tree,
    entries.filter(({ kind }) => kind === "file"),
    turn,
  );
  const pointers = await writeFiles(tree, missing, turn);
  if (tree.large && pointers.length > 0) {
    await writeLargeFiles(tree.into, pointers, await tree.large(pointers));
  }
  for (const { kind, path } of entries) {
    const target = kind === "link" ? linkTargets.get(path) : undefined;
    if (target !== undefined) symlinkSync(target, join(tree.into, path));
  }
}

type Turn = () => Promise<void> | undefined;

function turns({ turnMs, signal }: TreeToWrite): Turn {
  let entries = 0;
  return () => {
    entries += 1;
    if (entries % entriesPerTurn !== 0) return undefined;
    signal?.throwIfAborted();
    return turnMs === undefined ? setImmediate() : sleep(turnMs);
  };
}

/** What stands at the same place in two revisions stays on disk: a folder whatever is in it, all else when it is equal. */
function isSame(one: GitEntry | undefined, other: GitEntry | undefined): boolean {
  if (one === undefined || other === undefined || one.kind !== other.kind) return false;
  return one.kind === "folder" || (one.id === other.id && one.executable === other.executable);
}

/** Removes what one revision has and another has not, or has otherwise: children before their parents. */
async function removeChanged(folder: string, had: GitReader, has: GitReader, turn: Turn): Promise<void> {
  for (const entry of had.entries.toReversed()) {
    if (isSame(entry, has.listed(entry.path))) continue;
    const path = join(folder, entry.path);
    if (entry.kind === "folder") rmdirSync(path);
    else unlinkSync(path);
    await turn();
  }
}

/** Links what the previous snapshot has; resolves with the files that are still to be written. */
async function linkUnchanged(tree: TreeToWrite, files: GitEntry[], turn: Turn): Promise<GitEntry[]> {
  const { previous } = tree;
  if (previous === undefined) return files;
  const moved = new Set(files.filter((file) => !isSame(previous.reader.listed(file.path), file)));
  const places = placesOf(moved, previous.reader.entries);
  const missing: GitEntry[] = [];
  for (const file of files) {
    const place = moved.has(file) ? places.get(contentKey(file)) : file.path;
    // Both are checked names below a folder; `join` would look for ".." in each of them again.
    if (place === undefined || !isLinked(`${previous.folder}/${place}`, `${tree.into}/${file.path}`)) {
      missing.push(file);
    }
    await turn();
  }
  return missing;
}

/** Where else the content of these files lies. */
function placesOf(files: Iterable<GitEntry>, entries: readonly GitEntry[]): Map<string, string> {
  const wanted = new Set([...files].map(({ id }) => id));
  const found = entries.filter(({ kind, id }) => kind === "file" && wanted.has(id));
  return new Map(found.map((entry) => [contentKey(entry), entry.path]));
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
