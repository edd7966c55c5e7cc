import { ActionNeededError } from "#core/errors";
import { authorizationOf, fetchWatched, type GitAccess, later, type WatchedFetch } from "./fetch-watched.ts";
import { probeRemote } from "./probe-remote.ts";
import { type GitFailed, runGit } from "./run-git.ts";

/** The default branch has another name than we thought. */
export interface Renamed {
  renamedTo: string;
}

export interface BranchFetch extends Omit<WatchedFetch, "refs"> {
  branch: string;
  /** What the mirror has for the branch. */
  head: string | undefined;
}

/**
 * Fetches one branch. `undefined`: fetched. `empty`: neither the branch nor another default one is there. `Renamed`: the
 * default branch is another one. `GitFailed`: the host is fine, git is not. What the host itself refuses is thrown; see
 * `Mirrors.fetch`. A fetch that brings too much leaves the mirror as it was.
 */
export async function fetchBranch(fetch: BranchFetch): Promise<"empty" | Renamed | GitFailed | undefined> {
  const { git, branch, access, signal, head: now } = fetch;
  const error = await fetchWatched({ ...fetch, refs: [{ name: `refs/heads/${branch}`, now }] });
  if (error === undefined) return undefined;
  await probeRemote(access, signal);
  const args = ["ls-remote", "--quiet", "--symref", "--", access.url, "HEAD", `refs/heads/${branch}`];
  const config = authorizationOf(access);
  const call = { args, config, signal, timeoutMs: 30_000, maxOutputBytes: 1024 * 1024 };
  const listed = await runGit(git, call).catch((cause: unknown) => {
    throw later(error.message, cause);
  });
  const lines = listed.toString("utf8").split("\n");
  if (lines.some((line) => line.endsWith(`\trefs/heads/${branch}`))) return error;
  const head = lines.map((line) => /^ref: refs\/heads\/(.+)\tHEAD$/.exec(line)?.[1]).find(Boolean);
  return head === undefined || head === branch ? "empty" : { renamedTo: head };
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
