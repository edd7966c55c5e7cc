import { Router } from "express";
import { callerOf } from "../access/caller.ts";
import type { ForgeContext } from "../forge-context.ts";
import { notImplemented } from "../http/api-error.ts";
import { Parameters } from "../http/parameters.ts";
import { commitMessageIn } from "../repository/commit-message.ts";
import { approvalsJson, approveMergeRequest, unapproveMergeRequest } from "./approve-merge-request.ts";
import { findMergeRequest, findMergeRequestToChange } from "./find-merge-request.ts";
import { mergeMergeRequest } from "./merge-merge-request.ts";
import { mergeRequestDetailJson } from "./merge-request-json.ts";
import { rebaseMergeRequest } from "./rebase-merge-request.ts";

/** `merge`, `rebase` and approvals of a merge request. */
export function mergeRequestMergeRoutes(context: ForgeContext): Router {
  const routes = Router({ caseSensitive: true });
  const base = "/projects/:id/merge_requests/:iid";

  routes.put(`${base}/merge`, async (request, response) => {
    const { project, mergeRequest, user } = findMergeRequestToChange(context, request);
    const parameters = Parameters.of(request);
    if (parameters.boolean("auto_merge") || parameters.boolean("merge_when_pipeline_succeeds")) {
      throw notImplemented("merging by itself once a pipeline has succeeded");
    }
    const sha = parameters.filled("sha");
    const squash = parameters.boolean("squash");
    const squashMessage = commitMessageIn(parameters, "squash_commit_message");
    const mergeMessage = commitMessageIn(parameters, "merge_commit_message");
    const removeSourceBranch = parameters.boolean("should_remove_source_branch");
    const merged = await mergeMergeRequest(context, project, mergeRequest, user, {
      ...(sha !== undefined && { sha }),
      ...(squash !== undefined && { squash }),
      ...(squashMessage !== undefined && { squashMessage }),
      ...(mergeMessage !== undefined && { mergeMessage }),
      ...(removeSourceBranch !== undefined && { removeSourceBranch }),
    });
    response.json(await mergeRequestDetailJson(context, project, merged, user));
  });

  routes.put(`${base}/rebase`, async (request, response) => {
    const { mergeRequest, user } = findMergeRequestToChange(context, request);
    await rebaseMergeRequest(context, mergeRequest, user);
    // Done by now; whoever asks next is told that it is not in progress any more.
    response.status(202).json({ rebase_in_progress: true });
  });

  routes.post(`${base}/approve`, async (request, response) => {
    const { project, mergeRequest, user } = findMergeRequestToChange(context, request);
    const sha = Parameters.of(request).filled("sha");
    const approved = await approveMergeRequest(context, mergeRequest.id, user, sha);
    response.status(201).json(approvalsJson(context, project, approved, user));
  });

  routes.post(`${base}/unapprove`, async (request, response) => {
    const { project, mergeRequest, user } = findMergeRequestToChange(context, request);
    const changed = await unapproveMergeRequest(context, mergeRequest.id, user);
    response.status(201).json(approvalsJson(context, project, changed, user));
  });

  routes.get(`${base}/approvals`, (request, response) => {
    const { project, mergeRequest } = findMergeRequest(context, request);
    response.json(approvalsJson(context, project, mergeRequest, callerOf(request)?.user));
  });

  return routes;
}
