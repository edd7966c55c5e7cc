import { ActionNeededError, TryLaterError } from "#core/errors";
import type { RemoteSpec } from "#schemas/remotes";
import type { ForgeProject } from "../forge/forge.ts";
import { checkTree } from "./check-tree.ts";
import type { RemoteHost, RemoteRepository } from "./remote-repository.ts";

const maxAttempts = 3; // pushes of others that may come in between
const maxNamedFiles = 100;

/** How an attempt ended. A conflict changes nothing on either side. */
export interface SyncResult {
  outcome: "updated" | "unchanged" | "conflict";
  message: string;
  files: string[];
  /** Head here and over there, afterwards. */
  commit: string | null;
  remoteCommit: string | null;
}

export interface SyncDeps {
  repository: RemoteRepository;
  host: RemoteHost;
  project: ForgeProject;
  /** The head that the user's Git host has now, fetched into the mirror. */
  fetchHome: () => Promise<string | undefined>;
  access: { url: string; username: string; password: string };
  signal: AbortSignal;
}

/** Brings one remote and the user's default branch together, once, in the direction that is asked for. */
export async function syncRemote(deps: SyncDeps, remote: RemoteSpec): Promise<SyncResult> {
  await deps.repository.prepare();
  return remote.direction === "pull" ? await pull(deps, remote) : await push(deps, remote);
}

/** Fast-forward, or a merge that touches nothing both have changed. */
async function pull(deps: SyncDeps, remote: RemoteSpec): Promise<SyncResult> {
  const { repository, host } = deps;
  const branch = deps.project.defaultBranch;
  let home = await deps.fetchHome();
  if (branch === undefined || home === undefined) {
    throw new ActionNeededError("REPOSITORY_EMPTY", `${deps.project.path} has no commit yet`);
  }
  const there = await repository.fetch(host, remote.branch);
  if (there === undefined) {
    const what = remote.branch === undefined ? "a commit" : `a branch ${remote.branch}`;
    throw new ActionNeededError("REMOTE_BRANCH_NOT_FOUND", `The remote ${remote.name} does not have ${what}`);
  }
  for (let attempt = 1; attempt <= maxAttempts; attempt += 1) {
    const base = await repository.mergeBase(home, there);
    if (base === there) return result("unchanged", "everything there is here", home, there);
    const next = base === home ? there : await merged(repository, remote, home, there);
    if (typeof next !== "string") {
      return result("conflict", sayConflict(next.conflicts), home, there, next.conflicts);
    }
    await checkTree(repository.repository, { before: home, after: next }, deps.signal);
    if (await repository.pushHome(deps.access, next, branch)) {
      await deps.fetchHome();
      const how = base === home ? "brought forward" : "merged";
      return result("updated", `${how} to ${there.slice(0, 8)} of ${remote.name}`, next, there);
    }
    const now = await deps.fetchHome();
    if (now === undefined || now === home) {
      throw new ActionNeededError("PUSH_REFUSED", `The Git host refuses the platform's push to ${branch}`, {
        hint: "Let the platform's account push to the branch: it needs the Maintainer role, or a rule that allows it.",
      });
    }
    home = now;
  }
  throw new TryLaterError(`${deps.project.path} is pushed to all the time`, { retryAfterMs: 60_000 });
}

async function merged(
  repository: RemoteRepository,
  remote: RemoteSpec,
  home: string,
  there: string,
): Promise<string | { conflicts: string[] }> {
  const merge = await repository.merge(home, there);
  if ("conflicts" in merge) return merge;
  const message = [
    `Merge ${remote.branch ?? "the default branch"} of ${remote.url}`,
    "",
    `Pulled by the platform, as workspace.yaml asks for in the remote ${remote.name}.`,
    "",
    `Remote-Commit: ${there}`,
    "",
  ].join("\n");
  return await repository.commitMerge(merge.tree, [home, there], message);
}

/** Only forward: what somebody has done over there is never overwritten. */
async function push(deps: SyncDeps, remote: RemoteSpec): Promise<SyncResult> {
  const { repository, host } = deps;
  const home = await deps.fetchHome();
  const branch = remote.branch ?? deps.project.defaultBranch;
  if (branch === undefined || home === undefined) {
    throw new ActionNeededError("REPOSITORY_EMPTY", `${deps.project.path} has no commit yet`);
  }
  const before = await repository.head(host, branch);
  if (before === home) return result("unchanged", "everything here is there", home, home);
  if (before !== undefined) {
    const there = await repository.fetch(host, branch);
    const base = there === undefined ? undefined : await repository.mergeBase(home, there);
    if (there !== undefined && base !== there) {
      const files = base === undefined ? [] : await repository.changedSince(home, there);
      const message = `${remote.name} has commits that are not here: pull them first`;
      return result("conflict", message, home, there, files);
    }
  }
  if (await repository.push(host, home, branch)) {
    return result("updated", `pushed ${home.slice(0, 8)} to ${remote.name}`, home, home);
  }
  const after = await repository.head(host, branch);
  if (after === before) {
    throw new ActionNeededError("PUSH_REFUSED", `${remote.name} refuses the push to ${branch}`, {
      hint: "Look at the rules for that branch over there.",
    });
  }
  return result("conflict", `${remote.name} was pushed to at the same time`, home, after ?? null);
}

function sayConflict(files: readonly string[]): string {
  const [first = ""] = files;
  const more = files.length > 1 ? ` and ${files.length - 1} more` : "";
  return `both sides have changed ${first}${more}: merge them with git`;
}

function result(
  outcome: SyncResult["outcome"],
  message: string,
  commit: string,
  remoteCommit: string | null,
  files: readonly string[] = [],
): SyncResult {
  return { outcome, message, files: files.slice(0, maxNamedFiles), commit, remoteCommit };
}
