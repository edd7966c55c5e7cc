import { TryLaterError } from "#core/errors";
import type { Mirrors } from "../assets/mirrors.ts";
import { GitFailed, runGit } from "../assets/run-git.ts";
import type { Forge, ForgeProject } from "../forge/forge.ts";
import type { MergeRequest } from "../forge/forge-merge-requests.ts";

const retryAfterMs = 2_000; // the host makes its refs a moment after a push

/**
 * Brings what a merge request would make into the mirror: the result of merging its head, or the head itself where it
 * conflicts. `TryLaterError` while the host's refs are behind the head.
 */
export async function fetchProposal(
  deps: { forge: Pick<Forge, "gitAccess" | "mergeRequests">; mirrors: Mirrors },
  project: ForgeProject,
  { iid, head }: Pick<MergeRequest, "iid" | "head">,
): Promise<{ commit: string; isMergeResult: boolean }> {
  const { forge, mirrors } = deps;
  const access = forge.gitAccess(project);
  if ((await mirrors.head(project)) === undefined) await mirrors.fetch(project, access);
  const merged = await forge.mergeRequests.mergeResult(project, iid);
  const refs = await mirrors.fetchMergeRequest(project, iid, access, { withResult: merged !== undefined });
  if (refs.head !== head) throw behind(iid);
  if (merged === undefined || refs.result === undefined) return { commit: head, isMergeResult: false };
  if (!(await contains(mirrors, project.id, refs.result, head))) throw behind(iid);
  return { commit: refs.result, isMergeResult: true };
}

function behind(iid: number): TryLaterError {
  return new TryLaterError(`The Git host has yet to bring the refs of !${iid} up to its head`, {
    retryAfterMs,
  });
}

/** Is the head this commit itself, or a parent of it? */
async function contains(mirrors: Mirrors, projectId: number, commit: string, head: string): Promise<boolean> {
  try {
    const listed = await runGit(mirrors.git, {
      gitDir: mirrors.path(projectId),
      args: ["rev-list", "--parents", "--max-count=1", commit, "--"],
      ...{ timeoutMs: 10_000, maxOutputBytes: 4_096 },
    });
    return listed.toString("latin1").trim().split(" ").includes(head);
  } catch (error) {
    if (error instanceof GitFailed) throw new TryLaterError(error.message, { retryAfterMs, cause: error });
    throw error;
  }
}
