import type { Request } from "express";
import { callerOf } from "../access/caller.ts";
import type { ForgeContext } from "../forge-context.ts";
import { forbidden, notFound, unauthorized } from "../http/api-error.ts";
import { pathId } from "../http/parameters.ts";
import { findProject } from "../projects/find-project.ts";
import type { MergeRequestRecord } from "../store/merge-request-records.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";

export interface FoundMergeRequest {
  project: ProjectRecord;
  mergeRequest: MergeRequestRecord;
}

/** The merge request that `:id` and `:iid` name, for whoever can read the target's code: 404 for none. */
export function findMergeRequest(context: ForgeContext, request: Request): FoundMergeRequest {
  const project = findProject(context, request, "code");
  const mergeRequest = mergeRequestByIid(context, project, pathId(request, "iid"));
  if (!mergeRequest) throw notFound();
  return { project, mergeRequest };
}

/** As `findMergeRequest`, for changes: a caller is there, and the project is not archived. */
export function findMergeRequestToChange(
  context: ForgeContext,
  request: Request,
): FoundMergeRequest & { user: UserRecord } {
  const found = findMergeRequest(context, request);
  const user = callerOf(request)?.user;
  if (!user) throw unauthorized();
  if (found.project.archived) throw forbidden("The project is archived");
  return { ...found, user };
}

export function mergeRequestByIid(
  context: ForgeContext,
  project: ProjectRecord,
  iid: number,
): MergeRequestRecord | undefined {
  return context.store.mergeRequestsByIid.first(`${project.id}:${iid}`);
}
