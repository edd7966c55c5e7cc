import { resolutionOf } from "../discussions/resolution.ts";
import type { ForgeContext } from "../forge-context.ts";
import type { MergeRequestRecord } from "../store/merge-request-records.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";
import { userBasicJson, userBasicJsonById } from "../users/user-json.ts";
import { isDraft } from "./draft.ts";
import { headPipeline } from "./head-pipeline.ts";
import { fullReference } from "./merge-message.ts";
import { mergeRequestUrl, mergeStatus } from "./merge-request-payload.ts";
import { canMergeInto } from "./merge-request-rights.ts";
import { detailedMergeStatus } from "./merge-status.ts";
import { noteTarget } from "./system-note.ts";
import { latestVersion } from "./version.ts";

const noTime = {
  time_estimate: 0,
  total_time_spent: 0,
  human_time_estimate: null,
  human_total_time_spent: null,
};

/** The short form of lists with `view=simple`. */
export function mergeRequestSimpleJson(
  context: ForgeContext,
  project: ProjectRecord,
  mergeRequest: MergeRequestRecord,
) {
  return {
    id: mergeRequest.id,
    iid: mergeRequest.iid,
    project_id: mergeRequest.projectId,
    title: mergeRequest.title,
    description: mergeRequest.description,
    state: mergeRequest.state,
    created_at: mergeRequest.createdAt,
    updated_at: mergeRequest.updatedAt,
    web_url: mergeRequestUrl(context, project, mergeRequest),
  };
}

/** A merge request as in lists. */
export async function mergeRequestJson(
  context: ForgeContext,
  project: ProjectRecord,
  mergeRequest: MergeRequestRecord,
) {
  const { store } = context;
  const people = (ids: readonly number[]) =>
    ids.flatMap((id) => store.users.get(id) ?? []).map((user) => userBasicJson(context, user));
  const draft = isDraft(mergeRequest.title);
  const mergeUser = userBasicJsonById(context, mergeRequest.mergedById);
  const assignees = people(mergeRequest.assigneeIds);
  const { threads, isResolved } = resolutionOf(context, mergeRequest);
  const notes = store.notesByTarget.all(noteTarget(mergeRequest)).filter((note) => !note.system);
  const isOpen = mergeRequest.state === "opened";
  return {
    ...mergeRequestSimpleJson(context, project, mergeRequest),
    merged_by: mergeUser,
    merge_user: mergeUser,
    merged_at: mergeRequest.mergedAt,
    closed_by: userBasicJsonById(context, mergeRequest.closedById),
    closed_at: mergeRequest.closedAt,
    target_branch: mergeRequest.targetBranch,
    source_branch: mergeRequest.sourceBranch,
    user_notes_count: notes.length,
    upvotes: 0,
    downvotes: 0,
    author: userBasicJsonById(context, mergeRequest.authorId),
    assignees,
    assignee: assignees[0] ?? null,
    reviewers: people(mergeRequest.reviewerIds),
    source_project_id: mergeRequest.sourceProjectId,
    target_project_id: mergeRequest.projectId,
    labels: mergeRequest.labels,
    draft,
    imported: false,
    imported_from: "none",
    work_in_progress: draft,
    milestone: null,
    merge_when_pipeline_succeeds: false,
    merge_status: mergeStatus(mergeRequest),
    detailed_merge_status: await detailedMergeStatus(context, mergeRequest),
    merge_after: null,
    sha: latestVersion(context, mergeRequest)?.head ?? null,
    merge_commit_sha: mergeRequest.mergeCommit,
    squash_commit_sha: mergeRequest.squashCommit,
    discussion_locked: null,
    should_remove_source_branch: mergeRequest.state === "merged" ? mergeRequest.removeSourceBranch : null,
    force_remove_source_branch: mergeRequest.removeSourceBranch,
    prepared_at: mergeRequest.createdAt,
    reference: `!${mergeRequest.iid}`,
    references: {
      short: `!${mergeRequest.iid}`,
      relative: `!${mergeRequest.iid}`,
      full: fullReference(context, mergeRequest),
    },
    time_stats: noTime,
    squash: mergeRequest.squash,
    squash_on_merge: mergeRequest.squash || project.squashOption === "always",
    task_completion_status: tasksOf(mergeRequest.description),
    has_conflicts: isOpen && mergeRequest.checked?.merge === null,
    blocking_discussions_resolved: threads === 0 || isResolved,
  };
}

/** A merge request on its own, as this user sees it. */
export async function mergeRequestDetailJson(
  context: ForgeContext,
  project: ProjectRecord,
  mergeRequest: MergeRequestRecord,
  user: UserRecord | undefined,
) {
  const version = latestVersion(context, mergeRequest);
  const pipeline = await headPipeline(context, mergeRequest);
  return {
    ...(await mergeRequestJson(context, project, mergeRequest)),
    subscribed: user?.id === mergeRequest.authorId,
    changes_count: version?.realSize ?? null,
    latest_build_started_at: null,
    latest_build_finished_at: null,
    first_deployed_to_production_at: null,
    pipeline,
    head_pipeline: pipeline,
    diff_refs: version ? { base_sha: version.base, head_sha: version.head, start_sha: version.start } : null,
    merge_error: mergeRequest.mergeError,
    rebase_in_progress: false,
    first_contribution: false,
    user: { can_merge: canMergeInto(context, project, mergeRequest.targetBranch, user) },
  };
}

/** Boxes to tick in a description. */
function tasksOf(text: string): { count: number; completed_count: number } {
  const boxes = text.match(/^\s{0,20}(?:[-*+]|\d{1,9}[.)]) {1,4}\[[ xX]\] /gm) ?? [];
  return { count: boxes.length, completed_count: boxes.filter((box) => /\[[xX]\]/.test(box)).length };
}
