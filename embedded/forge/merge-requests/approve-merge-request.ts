import type { ForgeContext } from "../forge-context.ts";
import { ApiError, notFound, unauthorized } from "../http/api-error.ts";
import type { MergeRequestRecord } from "../store/merge-request-records.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";
import { userBasicJsonById } from "../users/user-json.ts";
import { announceMergeRequest } from "./announce-merge-request.ts";
import { isDeveloper } from "./merge-request-rights.ts";
import { systemNote } from "./system-note.ts";
import { latestVersion } from "./version.ts";

/** Throws `ApiError` 401 for who may not approve or did already, 409 for another head than `sha`. */
export function approveMergeRequest(
  context: ForgeContext,
  id: number,
  by: UserRecord,
  sha?: string,
): Promise<MergeRequestRecord> {
  return changeApprovals(context, id, by, async (mergeRequest) => {
    const head = latestVersion(context, mergeRequest)?.head;
    if (sha !== undefined && sha !== head) {
      throw new ApiError(409, { message: `SHA does not match HEAD of source branch: ${head ?? ""}` });
    }
    if (mergeRequest.state !== "opened" || hasApproved(mergeRequest, by)) throw unauthorized();
    const approval = { userId: by.id, at: context.clock().toISOString() };
    return { approvals: [...mergeRequest.approvals, approval], action: "approved" as const };
  });
}

/** Throws `ApiError` 401 for who may not approve, 404 for who has not. */
export function unapproveMergeRequest(
  context: ForgeContext,
  id: number,
  by: UserRecord,
): Promise<MergeRequestRecord> {
  return changeApprovals(context, id, by, async (mergeRequest) => {
    if (!hasApproved(mergeRequest, by)) throw notFound();
    const approvals = mergeRequest.approvals.filter((each) => each.userId !== by.id);
    return { approvals, action: "unapproved" as const };
  });
}

export function approvalsJson(
  context: ForgeContext,
  project: ProjectRecord,
  mergeRequest: MergeRequestRecord,
  user: UserRecord | undefined,
) {
  const approved = mergeRequest.approvals;
  const has = user !== undefined && hasApproved(mergeRequest, user);
  return {
    id: mergeRequest.id,
    iid: mergeRequest.iid,
    project_id: project.id,
    title: mergeRequest.title,
    description: mergeRequest.description,
    state: mergeRequest.state,
    created_at: mergeRequest.createdAt,
    updated_at: mergeRequest.updatedAt,
    approved: approved.length > 0,
    approvals_required: 0,
    approvals_left: 0,
    user_has_approved: has,
    user_can_approve: !has && isDeveloper(context, project, user) && mergeRequest.state === "opened",
    approved_by: approved.map((each) => ({
      user: userBasicJsonById(context, each.userId),
      approved_at: each.at,
    })),
  };
}

function hasApproved(mergeRequest: MergeRequestRecord, user: UserRecord): boolean {
  return mergeRequest.approvals.some((each) => each.userId === user.id);
}

function changeApprovals(
  context: ForgeContext,
  id: number,
  by: UserRecord,
  change: (
    mergeRequest: MergeRequestRecord,
  ) => Promise<{ approvals: MergeRequestRecord["approvals"]; action: "approved" | "unapproved" }>,
): Promise<MergeRequestRecord> {
  const { store } = context;
  const projectId = store.mergeRequests.get(id)?.projectId ?? -1;
  return context.mergeRequestQueue.run(String(projectId), async () => {
    const mergeRequest = store.mergeRequests.get(id);
    const project = store.projects.get(projectId);
    if (!mergeRequest || !project || !isDeveloper(context, project, by)) throw unauthorized();
    const { approvals, action } = await change(mergeRequest);
    const updatedAt = context.clock().toISOString();
    const changed = await store.mergeRequests.update(id, { approvals, updatedAt });
    await systemNote(context, changed, by, `${action} this merge request`);
    announceMergeRequest(context, changed, { action, by });
    return changed;
  });
}
