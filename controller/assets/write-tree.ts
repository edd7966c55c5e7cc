import { constants } from "node:fs";
import { chmod, copyFile, link, mkdir, open, symlink } from "node:fs/promises";
import { join } from "node:path";
import pLimit from "p-limit";
import { isSystemError } from "#core/errors";
import type { GitEntry } from "./git-entry.ts";
import type { GitReader } from "./git-reader.ts";
import type { Mirrors } from "./mirrors.ts";

const writesAtOnce = 16; // keeps the disk busy without holding many blobs in memory
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
  signal?: AbortSignal;
}

/** Writes a revision to a new folder: folders, then files, links last, so that nothing is written through a link. */
export async function writeTree(tree: TreeToWrite): Promise<void> {
  const { entries } = tree.reader;
  await makeFolder(tree.into);
  for (const entry of entries) {
    if (entry.kind === "folder") await makeFolder(join(tree.into, entry.path));
  }
  const missing = await linkUnchanged(tree);
  await writeFiles(tree, missing);
  for (const [path, target] of tree.reader.linkTargets) await symlink(target, join(tree.into, path));
}

/** Links what the previous snapshot has; resolves with the files that are still to be written. */
async function linkUnchanged(tree: TreeToWrite): Promise<GitEntry[]> {
  const files = tree.reader.entries.filter((entry) => entry.kind === "file");
  const { previous } = tree;
  if (previous === undefined) return files;
  const known = new Map<string, string>();
  for (const entry of previous.reader.entries) {
    if (entry.kind === "file") known.set(contentKey(entry), entry.path);
  }
  const limit = pLimit(writesAtOnce);
  const done = files.map((file) =>
    limit(async () => {
      const twin = known.get(contentKey(file));
      if (twin === undefined) return [file];
      try {
        await link(join(previous.folder, twin), join(tree.into, file.path));
        return [];
      } catch (error) {
        if (["ENOENT", "EMLINK", "EPERM", "EXDEV"].some((code) => isSystemError(error, code))) return [file];
        throw error;
      }
    }),
  );
  return (await Promise.all(done)).flat();
}

async function writeFiles(tree: TreeToWrite, files: GitEntry[]): Promise<void> {
  const byId = new Map<string, GitEntry[]>();
  for (const file of files) {
    const same = byId.get(file.id);
    if (same) same.push(file);
    else byId.set(file.id, [file]);
  }
  const limit = pLimit(writesAtOnce);
  const writing = new Set<Promise<void>>();
  let failure: unknown;
  const deadline = AbortSignal.timeout(deadlineMs);
  await tree.mirrors.blobs(
    tree.reader.projectId,
    [...byId.keys()],
    async (id, blob) => {
      if (failure !== undefined) throw failure;
      const targets = byId.get(id) ?? [];
      if (blob.bytes > smallBlobBytes) {
        await writeLarge(tree.into, targets, blob.pieces);
        return;
      }
      const content = await blob.all();
      for (const target of targets) {
        const one = limit(() => writeFile(join(tree.into, target.path), target.executable, content))
          .catch((error: unknown) => {
            failure ??= error;
          })
          .finally(() => writing.delete(one));
        writing.add(one);
      }
      while (writing.size >= 2 * writesAtOnce) await Promise.race(writing);
    },
    tree.signal ? AbortSignal.any([tree.signal, deadline]) : deadline,
  );
  await Promise.all(writing);
  if (failure !== undefined) throw failure;
}

async function writeFile(path: string, executable: boolean, content: Uint8Array): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(content);
    await file.chmod(executable ? executableMode : fileMode); // the process's umask has no say
  } finally {
    await file.close();
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

async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { mode: 0o700 });
  await chmod(path, folderMode);
}

function contentKey(entry: GitEntry): string {
  return `${entry.id} ${entry.executable}`;
}
