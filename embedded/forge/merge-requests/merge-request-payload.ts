import { resolutionOf } from "../discussions/resolution.ts";
import type { ForgeContext } from "../forge-context.ts";
import { projectHookJson, repositoryHookJson } from "../hooks/project-hook-json.ts";
import { labelHookJson } from "../labels/label-json.ts";
import { webUrl } from "../projects/project-json.ts";
import type { MergeRequestRecord } from "../store/merge-request-records.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";
import { isDraft } from "./draft.ts";
import { headPipeline } from "./head-pipeline.ts";
import { detailedMergeStatus } from "./merge-status.ts";
import { latestVersion } from "./version.ts";

const stateIds = { opened: 1, closed: 2, merged: 3, locked: 4 } as const;

export type MergeRequestAction = "open" | "update" | "close" | "reopen" | "merge" | "approved" | "unapproved";

export interface MergeRequestNews {
  action: MergeRequestAction;
  /** The author where nobody is known. */
  by?: UserRecord | undefined;
  /** The head before; only where code changed. */
  oldrev?: string;
  /** What else changed, by GitLab's names. */
  changes?: Readonly<Record<string, { previous: unknown; current: unknown }>>;
}

/** The body of a merge request webhook. */
export async function mergeRequestPayload(
  context: ForgeContext,
  project: ProjectRecord,
  mergeRequest: MergeRequestRecord,
  news: MergeRequestNews,
) {
  const { store } = context;
  const { name, url, description, homepage } = repositoryHookJson(context, project);
  const user = news.by ?? store.users.get(mergeRequest.authorId);
  const people = (ids: readonly number[]) => ids.flatMap((id) => store.users.get(id) ?? []).map(userHookJson);
  const approved = new Set(mergeRequest.approvals.map((each) => each.userId));
  const labels = mergeRequest.labels.flatMap((label) => labelHookJson(context, project, label));
  return {
    object_kind: "merge_request",
    event_type: "merge_request",
    user: user ? userHookJson(user) : null,
    project: projectHookJson(context, project),
    repository: { name, url, description, homepage },
    object_attributes: {
      ...(await mergeRequestAttributes(context, project, mergeRequest)),
      labels,
      action: news.action,
      ...(news.oldrev !== undefined && { oldrev: news.oldrev }),
    },
    labels,
    changes: news.changes ?? {},
    assignees: people(mergeRequest.assigneeIds),
    reviewers: people(mergeRequest.reviewerIds).map((person) => ({
      ...person,
      state: approved.has(person.id) ? "approved" : "unreviewed",
      re_requested: false,
    })),
  };
}

/** A merge request as it stands inside webhooks. */
export async function mergeRequestAttributes(
  context: ForgeContext,
  project: ProjectRecord,
  mergeRequest: MergeRequestRecord,
) {
  const { store, objects, repositories } = context;
  const version = latestVersion(context, mergeRequest);
  const commit = version && (await objects.commit(repositories.path(project.id), version.head));
  const source = store.projects.get(mergeRequest.sourceProjectId);
  const status = await detailedMergeStatus(context, mergeRequest);
  const draft = isDraft(mergeRequest.title);
  return {
    id: mergeRequest.id,
    iid: mergeRequest.iid,
    title: mergeRequest.title,
    description: mergeRequest.description,
    state: mergeRequest.state,
    state_id: stateIds[mergeRequest.state],
    source_branch: mergeRequest.sourceBranch,
    target_branch: mergeRequest.targetBranch,
    source_project_id: mergeRequest.sourceProjectId,
    target_project_id: mergeRequest.projectId,
    author_id: mergeRequest.authorId,
    assignee_id: mergeRequest.assigneeIds[0] ?? null,
    assignee_ids: mergeRequest.assigneeIds,
    reviewer_ids: mergeRequest.reviewerIds,
    created_at: mergeRequest.createdAt,
    updated_at: mergeRequest.updatedAt,
    updated_by_id: mergeRequest.updatedById,
    last_edited_at: null,
    prepared_at: mergeRequest.createdAt,
    head_pipeline_id: (await headPipeline(context, mergeRequest))?.id ?? null,
    merge_status: mergeStatus(mergeRequest),
    detailed_merge_status: status,
    merge_commit_sha: mergeRequest.mergeCommit,
    merge_error: mergeRequest.mergeError,
    merge_params: { force_remove_source_branch: mergeRequest.removeSourceBranch },
    merge_user_id: mergeRequest.mergedById,
    merge_when_pipeline_succeeds: false,
    milestone_id: null,
    draft,
    work_in_progress: draft,
    first_contribution: false,
    blocking_discussions_resolved: resolutionOf(context, mergeRequest).isResolved,
    time_estimate: 0,
    total_time_spent: 0,
    time_change: 0,
    human_time_estimate: null,
    human_total_time_spent: null,
    human_time_change: null,
    url: mergeRequestUrl(context, project, mergeRequest),
    source: source ? projectHookJson(context, source) : null,
    target: projectHookJson(context, project),
    last_commit: commit
      ? {
          id: commit.id,
          message: commit.message,
          title: commit.message.split("\n", 1)[0] ?? "",
          timestamp: commit.committer.date.replace(/\.000/, ""),
          url: `${webUrl(context, project)}/-/commit/${commit.id}`,
          author: { name: commit.author.name, email: commit.author.email },
        }
      : null,
  };
}

/** The older, shorter word for whether the branches can be merged. */
export function mergeStatus(mergeRequest: MergeRequestRecord): string {
  if (!mergeRequest.checked) return "unchecked";
  return mergeRequest.checked.merge === null ? "cannot_be_merged" : "can_be_merged";
}

/** Where people look at it. */
export function mergeRequestUrl(
  context: ForgeContext,
  project: ProjectRecord,
  mergeRequest: MergeRequestRecord,
): string {
  return `${webUrl(context, project)}/-/merge_requests/${mergeRequest.iid}`;
}

/** A person inside webhooks. */
export function userHookJson(user: UserRecord) {
  return { id: user.id, name: user.name, username: user.username, avatar_url: null, email: "[REDACTED]" };
}
