import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { ActionNeededError, TryLaterError } from "#core/errors";
import { probeRemote } from "./probe-remote.ts";
import { GitFailed, type GitOptions, runGit } from "./run-git.ts";

const sizeCheckMs = 500;
const retryAfterMs = 5_000;

/** Where and as whom a repository is fetched; see `Forge.gitAccess`. */
export interface GitAccess {
  url: string;
  username: string;
  password: string;
}

/** The default branch has another name than we thought. */
export interface Renamed {
  renamedTo: string;
}

export interface BranchFetch {
  git: GitOptions;
  /** The bare repository to fetch into. */
  mirror: string;
  branch: string;
  /** What the mirror has for the branch. */
  head: string | undefined;
  access: GitAccess;
  deadlineMs: number;
  /** Bytes that this fetch may add. */
  maxPackBytes: number;
  signal: AbortSignal | undefined;
}

/**
 * Fetches one branch. `undefined`: fetched. `empty`: neither the branch nor another default one is there. `Renamed`: the
 * default branch is another one. `GitFailed`: the host is fine, git is not. What the host itself refuses is thrown; see
 * `Mirrors.fetch`. A fetch that brings too much leaves the mirror as it was.
 */
export async function fetchBranch(fetch: BranchFetch): Promise<"empty" | Renamed | GitFailed | undefined> {
  const { git, mirror, branch, access, deadlineMs, maxPackBytes, signal } = fetch;
  const authorization = Buffer.from(`${access.username}:${access.password}`).toString("base64");
  const config = {
    "fetch.unpackLimit": "1", // always a pack, so that its growth can be watched
    [`http.${new URL(access.url).origin}/.extraHeader`]: `Authorization: Basic ${authorization}`,
  };
  const tooLarge = new AbortController();
  const before = await packs(mirror);
  const isTooMuch = async () => bytesOf(await packs(mirror)) - bytesOf(before) > maxPackBytes;
  const watch = setInterval(async () => {
    if (await isTooMuch()) tooLarge.abort();
  }, sizeCheckMs);
  const refs = `+refs/heads/${branch}:refs/heads/${branch}`;
  const flags = ["--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"];
  try {
    await runGit(git, {
      gitDir: mirror,
      args: ["fetch", ...flags, "--no-recurse-submodules", "--", access.url, refs],
      config,
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
    await probeRemote(access, signal);
    const args = ["ls-remote", "--quiet", "--symref", "--", access.url, "HEAD", `refs/heads/${branch}`];
    const call = { args, config, signal, timeoutMs: 30_000, maxOutputBytes: 1024 * 1024 };
    const listed = await runGit(git, call).catch((cause: unknown) => {
      throw later(error.message, cause);
    });
    const lines = listed.toString("utf8").split("\n");
    if (lines.some((line) => line.endsWith(`\trefs/heads/${branch}`))) return error;
    const head = lines.map((line) => /^ref: refs\/heads\/(.+)\tHEAD$/.exec(line)?.[1]).find(Boolean);
    return head === undefined || head === branch ? "empty" : { renamedTo: head };
  } finally {
    clearInterval(watch);
  }
}

export function later(message: string, cause: unknown): TryLaterError {
  return new TryLaterError(message, { retryAfterMs, cause });
}

/** Throws for what must not reach git: other protocols than HTTP, and names that are no branch. */
export function checkAccess(access: GitAccess, branch: string): void {
  const url = new URL(access.url);
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new ActionNeededError(
      "PROTOCOL_REFUSED",
      `Repositories are fetched over HTTP, not ${url.protocol}`,
    );
  }
  if (!/^[^\p{Cc} ~^:?*[\\]+$/u.test(branch) || branch.startsWith("-") || branch.includes("..")) {
    throw new ActionNeededError(
      "BRANCH_NAME_REFUSED",
      `The branch name ${JSON.stringify(branch)} is refused`,
    );
  }
}

/** The branch points again to where it did, and what was brought is gone. */
async function undo({ git, mirror, branch, head }: BranchFetch, before: Map<string, number>): Promise<void> {
  const ref = `refs/heads/${branch}`;
  const args = head === undefined ? ["update-ref", "-d", ref] : ["update-ref", ref, head];
  await runGit(git, { gitDir: mirror, args, timeoutMs: 10_000, maxOutputBytes: 64 * 1024 });
  for (const name of (await packs(mirror)).keys()) {
    if (!before.has(name)) await rm(join(mirror, packFolder, name), { force: true });
  }
}

const packFolder = join("objects", "pack");

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
