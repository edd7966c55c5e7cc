import { randomBytes } from "node:crypto";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import isomorphicGit from "isomorphic-git";
import type { GitAccess } from "../fetch-watched.ts";
import { checkPack } from "./check-pack.ts";
import { gitHttp } from "./git-http.ts";
import { memoryDisk } from "./memory-disk.ts";
import { maxSmallObjects, maxSmallPackBytes, maxSmallUnpackedBytes } from "./small-limits.ts";
import type { SmallRepository } from "./small-repository.ts";

const deadlineMs = 15_000; // a few kilobytes; whoever takes longer is asked by git itself, which has more patience

// The refspec that isomorphic-git wants to find.
const config = Buffer.from('[remote "origin"]\n\tfetch = +refs/heads/*:refs/heads/*\n');

/**
 * Tries to fetch one branch into a small mirror without starting git. The mirror has its head then, and `held` is the
 * mirror as it is now, where it is still small. `undefined` says only that git has to be asked: there is more
 * to fetch than is small, the host refuses, the branch is not there. Nothing of a failed try stays.
 */
export async function fetchSmall(fetch: {
  mirror: string;
  branch: string;
  access: GitAccess;
  signal: AbortSignal | undefined;
  /** The mirror as it is now. */
  held: SmallRepository;
  /** What the branch points to now. */
  head: string | undefined;
}): Promise<{ held: SmallRepository | undefined } | undefined> {
  const { mirror, branch, access, held, head } = fetch;
  const deadline = AbortSignal.timeout(deadlineMs);
  const signal = fetch.signal ? AbortSignal.any([fetch.signal, deadline]) : deadline;
  const authorization = `Basic ${Buffer.from(`${access.username}:${access.password}`).toString("base64")}`;
  const ref = join(mirror, "refs", "heads", branch);
  const known = new Map([...held.files, [join(mirror, "config"), config]]);
  if (head !== undefined) known.set(ref, Buffer.from(`${head}\n`));
  const fetched = new Map<string, Buffer>();
  let unpackedBytes = 0;
  // A pack is checked before it is opened. Refs are written before the objects they need are there: not to our disk.
  const onWrite = (path: string, content: Buffer) => {
    if (dirname(path) !== join(mirror, "objects", "pack")) return;
    const limits = { maxObjects: maxSmallObjects, maxUnpackedBytes: maxSmallUnpackedBytes };
    if (path.endsWith(".pack")) unpackedBytes += checkPack(content, limits).unpackedBytes;
    fetched.set(path, content);
  };
  try {
    const { fetchHead } = await isomorphicGit.fetch({
      fs: memoryDisk(known, onWrite),
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
    if (fetchHead === null) return undefined;
    for (const [path, content] of fetched) replaceFile(path, content);
    if (fetchHead !== head) replaceFile(ref, `${fetchHead}\n`); // last, when everything it needs is there
    return { held: held.plus(fetched, unpackedBytes) };
  } catch {
    return undefined;
  }
}

/** Replaces a file in one step; without a flush, since a mirror that does not survive a power cut is fetched anew. */
function replaceFile(path: string, content: Buffer | string): void {
  const fresh = join(dirname(path), `tmp_${basename(path).slice(0, 64)}_${randomBytes(4).toString("hex")}`);
  try {
    mkdirSync(dirname(path), { recursive: true }); // a branch may have a slash in its name
    writeFileSync(fresh, content, { mode: 0o600 });
    renameSync(fresh, path);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
}
