import fs from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import isomorphicGit from "isomorphic-git";
import { ActionNeededError } from "#core/errors";
import { GitReader } from "./git-reader.ts";
import type { Mirrors } from "./mirrors.ts";

const maxPackBytesInProcess = 4 * 1024 * 1024; // isomorphic-git loads whole packs; see docs/adr/0002-reading-git.md

/**
 * One file at a commit without listing the repository; `undefined` where there is none. More than `maxBytes` is
 * `ActionNeededError("FILE_TOO_LARGE")`. A small mirror is read in this process by isomorphic-git, at half the price
 * of starting git; a large one, and whatever isomorphic-git does not find, through `GitReader`.
 */
export async function readFileAt(
  mirrors: Mirrors,
  at: { projectId: number; commit: string; path: string },
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const gitdir = mirrors.path(at.projectId);
  if ((await packBytes(gitdir)) <= maxPackBytesInProcess) {
    const found = await isomorphicGit
      .readBlob({ fs, gitdir, oid: at.commit, filepath: at.path, cache: {} })
      .catch(() => undefined);
    if (found && found.blob.length > maxBytes) {
      const message = `${at.path} has ${found.blob.length} bytes, more than ${maxBytes}`;
      throw new ActionNeededError("FILE_TOO_LARGE", message, { where: { file: at.path } });
    }
    if (found) return found.blob;
  }
  const reader = await GitReader.open(mirrors, at.projectId, at.commit);
  return reader.read(at.path, maxBytes);
}

async function packBytes(gitDir: string): Promise<number> {
  const folder = join(gitDir, "objects", "pack");
  let bytes = 0;
  for (const name of await readdir(folder).catch(() => [])) {
    bytes += (await stat(join(folder, name)).catch(() => undefined))?.size ?? 0;
  }
  return bytes;
}
