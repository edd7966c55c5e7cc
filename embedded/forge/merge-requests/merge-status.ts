import { resolutionOf } from "../discussions/resolution.ts";
import type { ForgeContext } from "../forge-context.ts";
import { branchHead } from "../git/refs.ts";
import type { MergeRequestRecord } from "../store/merge-request-records.ts";
import { isDraft } from "./draft.ts";
import { headPipeline } from "./head-pipeline.ts";
import { isFresh } from "./is-fresh.ts";
import { hasNoCommits, latestVersion } from "./version.ts";

export type DetailedMergeStatus =
  | "not_open"
  | "checking"
  | "draft_status"
  | "commits_status"
  | "discussions_not_resolved"
  | "conflict"
  | "need_rebase"
  | "ci_must_pass"
  | "ci_still_running"
  | "mergeable";

/** The first reason against a merge, in GitLab's order; `checking` where a branch moved and nobody has looked since. */
export async function detailedMergeStatus(
  context: ForgeContext,
  mergeRequest: MergeRequestRecord,
): Promise<DetailedMergeStatus> {
  const project = context.store.projects.get(mergeRequest.projectId);
  if (mergeRequest.state !== "opened" || !project) return "not_open";
  if (!(await isFresh(context, mergeRequest))) return "checking";
  if (isDraft(mergeRequest.title)) return "draft_status";
  const version = latestVersion(context, mergeRequest);
  const { checked } = mergeRequest;
  const hasBranches = await bothBranches(context, mergeRequest);
  if (!version || !checked || hasNoCommits(version) || !hasBranches) return "commits_status";
  if (project.onlyAllowMergeIfDiscussionsResolved && !resolutionOf(context, mergeRequest).isResolved) {
    return "discussions_not_resolved";
  }
  if (checked.merge === null) return "conflict";
  if (project.mergeMethod !== "merge" && checked.isBehind) return "need_rebase";
  return project.onlyAllowMergeIfPipelineSucceeds ? await ciStatus(context, mergeRequest) : "mergeable";
}

async function ciStatus(
  context: ForgeContext,
  mergeRequest: MergeRequestRecord,
): Promise<DetailedMergeStatus> {
  const status = (await headPipeline(context, mergeRequest))?.status;
  if (status === "success") return "mergeable";
  const ended = status === undefined || ["failed", "canceled", "skipped", "manual"].includes(status);
  return ended ? "ci_must_pass" : "ci_still_running";
}

async function bothBranches(context: ForgeContext, mergeRequest: MergeRequestRecord): Promise<boolean> {
  const { projectId, targetBranch, sourceProjectId, sourceBranch } = mergeRequest;
  const target = await branchHead(context.repositories.path(projectId), targetBranch);
  const source = await branchHead(context.repositories.path(sourceProjectId), sourceBranch);
  return target !== undefined && source !== undefined;
}
