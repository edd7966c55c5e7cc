import { randomBytes } from "node:crypto";
import { promises as disk } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import isomorphicGit, { type PromiseFsClient } from "isomorphic-git";
import type { GitAccess } from "../fetch-branch.ts";
import { checkPack } from "./check-pack.ts";
import { gitHttp } from "./git-http.ts";
import { maxSmallObjects, maxSmallPackBytes, maxSmallUnpackedBytes } from "./small-limits.ts";

const deadlineMs = 15_000; // a few kilobytes; whoever takes longer is asked by git itself, which has more patience

/**
 * Tries to fetch one branch without starting git: `true` when the mirror has its head now. `false` says nothing at all,
 * only that git has to be asked: there is more to fetch than is small, the host refuses, the branch is not there.
 * Nothing of a failed try stays but, at worst, a pack that nobody refers to.
 */
export async function fetchSmall(fetch: {
  mirror: string;
  branch: string;
  access: GitAccess;
  signal: AbortSignal | undefined;
}): Promise<boolean> {
  const { mirror, branch, access } = fetch;
  const deadline = AbortSignal.timeout(deadlineMs);
  const signal = fetch.signal ? AbortSignal.any([fetch.signal, deadline]) : deadline;
  const authorization = `Basic ${Buffer.from(`${access.username}:${access.password}`).toString("base64")}`;
  try {
    const { fetchHead } = await isomorphicGit.fetch({
      fs: guardedDisk(mirror),
      http: gitHttp({ maxBytes: maxSmallPackBytes, signal }),
      gitdir: mirror,
      url: access.url,
      ref: branch,
      remoteRef: `refs/heads/${branch}`,
      singleBranch: true,
      tags: false,
      headers: { authorization },
      cache: {},
    });
    if (fetchHead === null) return false;
    // The branch moves last, when everything it needs is there.
    await replaceFile(join(mirror, "refs", "heads", branch), Buffer.from(`${fetchHead}\n`));
    return true;
  } catch {
    return false;
  }
}

/**
 * The mirror on disk as isomorphic-git may see and change it. It writes refs before it has the objects: those writes go
 * nowhere. A pack is checked before it is opened, and it and its index appear in one step each.
 */
function guardedDisk(mirror: string): PromiseFsClient {
  const write = async (path: string, content: Uint8Array | string): Promise<void> => {
    if (dirname(path) !== join(mirror, "objects", "pack")) return;
    const bytes = Buffer.from(content as Uint8Array);
    if (path.endsWith(".pack")) {
      checkPack(bytes, { maxObjects: maxSmallObjects, maxUnpackedBytes: maxSmallUnpackedBytes });
    }
    await replaceFile(path, bytes);
  };
  const nothing = async () => undefined;
  const { readFile, readdir, stat, lstat, readlink } = disk;
  const promises = { readFile, readdir, stat, lstat, readlink, writeFile: write };
  return {
    promises: { ...promises, mkdir: nothing, rmdir: nothing, unlink: nothing, symlink: nothing },
  };
}

/** Replaces a file in one step; without a flush, since a mirror that does not survive a power cut is fetched anew. */
async function replaceFile(path: string, content: Buffer): Promise<void> {
  const fresh = join(dirname(path), `tmp_${basename(path).slice(0, 64)}_${randomBytes(4).toString("hex")}`);
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(fresh, content, { mode: 0o600 });
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}
