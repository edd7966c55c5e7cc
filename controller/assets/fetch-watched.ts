import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { ActionNeededError, TryLaterError } from "#core/errors";
import { GitFailed, type GitOptions, runGit } from "./run-git.ts";

const sizeCheckMs = 500;
const retryAfterMs = 5_000;
const packFolder = join("objects", "pack");

/** Where and as whom a repository is fetched; see `Forge.gitAccess`. */
export interface GitAccess {
  url: string;
  username: string;
  password: string;
  mergeRequestRefs?: string;
}

export interface WatchedFetch {
  git: GitOptions;
  /** The bare repository to fetch into. */
  mirror: string;
  /** Full names; the same on both sides, unless the host has another one for it. */
  refs: readonly {
    name: string;
    theirs?: string /** What the mirror has for it. */;
    now: string | undefined;
  }[];
  access: GitAccess;
  deadlineMs: number;
  /** Bytes that this fetch may add. */
  maxPackBytes: number;
  signal: AbortSignal | undefined;
}

/**
 * Fetches refs while watching how much comes. `GitFailed`: git ended with an error, which the caller explains. One that brings
 * too much leaves the mirror as it was, and is `REPOSITORY_TOO_LARGE`; one that took too long is `TryLaterError`.
 */
export async function fetchWatched(fetch: WatchedFetch): Promise<GitFailed | undefined> {
  const { git, mirror, refs, access, deadlineMs, maxPackBytes, signal } = fetch;
  const tooLarge = new AbortController();
  const before = await packs(mirror);
  const isTooMuch = async () => bytesOf(await packs(mirror)) - bytesOf(before) > maxPackBytes;
  const watch = setInterval(async () => {
    if (await isTooMuch()) tooLarge.abort();
  }, sizeCheckMs);
  const flags = ["--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"];
  const specs = refs.map(({ name, theirs = name }) => `+${theirs}:${name}`);
  try {
    await runGit(git, {
      gitDir: mirror,
      args: ["fetch", ...flags, "--no-recurse-submodules", "--", access.url, ...specs],
      config: { "fetch.unpackLimit": "1", ...authorizationOf(access) }, // always a pack, so that its growth can be watched
      signal: signal ? AbortSignal.any([signal, tooLarge.signal]) : tooLarge.signal,
      timeoutMs: deadlineMs,
      maxOutputBytes: 1024 * 1024,
    });
    if (await isTooMuch()) tooLarge.abort(); // it came between two looks
    tooLarge.signal.throwIfAborted();
    return undefined;
  } catch (error) {
    if (tooLarge.signal.aborted) {
      await undo(fetch, before);
      throw new ActionNeededError("REPOSITORY_TOO_LARGE", "The repository is larger than may be fetched", {
        hint: `Keep large files out of Git: one fetch may bring at most ${maxPackBytes} bytes.`,
      });
    }
    if (!(error instanceof GitFailed)) throw error;
    if (error.reason !== "exit") throw later(error.message, error);
    return error;
  } finally {
    clearInterval(watch);
  }
}

/** The setting that shows git's token to this host alone. */
export function authorizationOf(access: GitAccess): Record<string, string> {
  const authorization = Buffer.from(`${access.username}:${access.password}`).toString("base64");
  return { [`http.${new URL(access.url).origin}/.extraHeader`]: `Authorization: Basic ${authorization}` };
}

export function later(message: string, cause: unknown): TryLaterError {
  return new TryLaterError(message, { retryAfterMs, cause });
}

/** Refs point again to where they did, and what was brought is gone. */
async function undo({ git, mirror, refs }: WatchedFetch, before: Map<string, number>): Promise<void> {
  for (const { name, now } of refs) {
    const args = now === undefined ? ["update-ref", "-d", name] : ["update-ref", name, now];
    await runGit(git, { gitDir: mirror, args, timeoutMs: 10_000, maxOutputBytes: 64 * 1024 });
  }
  for (const name of (await packs(mirror)).keys()) {
    if (!before.has(name)) await rm(join(mirror, packFolder, name), { force: true });
  }
}

/** Files with objects, half ones too, and their bytes. */
async function packs(mirror: string): Promise<Map<string, number>> {
  const folder = join(mirror, packFolder);
  const found = new Map<string, number>();
  for (const name of await readdir(folder).catch(() => [])) {
    found.set(name, (await stat(join(folder, name)).catch(() => undefined))?.size ?? 0);
  }
  return found;
}

function bytesOf(found: Map<string, number>): number {
  return [...found.values()].reduce((sum, bytes) => sum + bytes, 0);
}
