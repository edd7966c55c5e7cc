import type { FoundMergeRequest } from "../../merge-requests/find-merge-request.ts";
import { mergeRequestByIid } from "../../merge-requests/find-merge-request.ts";
import { freshMergeRequest } from "../../merge-requests/refresh-merge-request.ts";
import type { MergeRequestRecord } from "../../store/merge-request-records.ts";
import type { UserRecord } from "../../store/records.ts";
import { projectPath } from "../addresses.ts";
import { PageError } from "../page-error.ts";
import type { ProjectVisit } from "../project-page.ts";
import { signedInUser } from "../signed-in-user.ts";

export const mergeRequestsTab = "Merge requests";

/** The merge request of this number as it is now. `PageError` 404 for none. */
export async function visitedMergeRequest(
  visit: ProjectVisit,
  iid: string | undefined,
): Promise<MergeRequestRecord> {
  const found = mergeRequestByIid(visit.context, visit.project, Number(iid));
  if (!found) throw new PageError(404, "There is no such merge request", "It may have been deleted.");
  return await freshMergeRequest(visit.context, found);
}

/** As `visitedMergeRequest`, for whoever may change something. `PageError` 401 for strangers, 403 in an archived project. */
export async function changedMergeRequest(
  visit: ProjectVisit,
  iid: string | undefined,
): Promise<FoundMergeRequest & { user: UserRecord }> {
  const user = signedInUser(visit);
  return { project: visit.project, mergeRequest: await visitedMergeRequest(visit, iid), user };
}

export function mergeRequestPath(
  { project }: Pick<ProjectVisit, "project">,
  mergeRequest: MergeRequestRecord,
  ...more: string[]
) {
  return projectPath(project, "merge_requests", mergeRequest.iid, ...more);
}

export function backTo(visit: ProjectVisit, mergeRequest: MergeRequestRecord, anchor = ""): void {
  visit.response.redirect(303, mergeRequestPath(visit, mergeRequest) + anchor);
}
