import { Router } from "express";
import { callerOf } from "../access/caller.ts";
import { diffJson } from "../compare/diff-json.ts";
import { type Diff, maxDiffFiles, readDiff } from "../compare/read-diff.ts";
import type { ForgeContext } from "../forge-context.ts";
import { badRequest, notFound } from "../http/api-error.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters, pathId } from "../http/parameters.ts";
import { ciPipelineJson } from "../pipelines/pipeline-json.ts";
import { findProjectToChange } from "../projects/find-project.ts";
import { commitJson } from "../repository/commit-json.ts";
import type { MergeRequestRecord, MergeRequestVersionRecord } from "../store/merge-request-records.ts";
import type { ProjectRecord } from "../store/records.ts";
import { userBasicJsonById } from "../users/user-json.ts";
import { findMergeRequest } from "./find-merge-request.ts";
import { mergeRequestPipelines } from "./head-pipeline.ts";
import { mergeRequestDetailJson } from "./merge-request-json.ts";
import { createMergeRequestPipeline } from "./merge-request-pipeline.ts";
import { freshMergeRequest } from "./refresh-merge-request.ts";
import { noteTarget } from "./system-note.ts";
import { latestVersion, versionCommits } from "./version.ts";

/** What a merge request changes: commits, diffs, versions, the merge result; and its pipelines and people. */
export function mergeRequestCodeRoutes(context: ForgeContext): Router {
  const { store, git, repositories } = context;
  const routes = Router({ caseSensitive: true });
  const base = "/projects/:id/merge_requests/:iid";

  routes.get(`${base}/commits`, async (request, response) => {
    const { project, mergeRequest } = findMergeRequest(context, request);
    const version = latestVersion(context, await freshMergeRequest(context, mergeRequest));
    const ids = version ? await versionCommits(context, project.id, version) : [];
    response.json(await commitsJson(project, paginate(context, request, response, ids)));
  });

  routes.get(`${base}/diffs`, async (request, response) => {
    const { mergeRequest } = findMergeRequest(context, request);
    const unidiff = Parameters.of(request).boolean("unidiff") ?? false;
    const { files } = await latestDiff(await freshMergeRequest(context, mergeRequest));
    response.json(paginate(context, request, response, files).map((file) => diffJson(file, unidiff)));
  });

  // GitLab's older way, in one answer.
  routes.get(`${base}/changes`, async (request, response) => {
    const { project, mergeRequest } = findMergeRequest(context, request);
    const unidiff = Parameters.of(request).boolean("unidiff") ?? false;
    const fresh = await freshMergeRequest(context, mergeRequest);
    const { files, isOverflow } = await latestDiff(fresh);
    response.json({
      ...(await mergeRequestDetailJson(context, project, fresh, callerOf(request)?.user)),
      changes: files.slice(0, maxDiffFiles).map((file) => diffJson(file, unidiff)),
      overflow: isOverflow,
    });
  });

  routes.get(`${base}/versions`, async (request, response) => {
    const { mergeRequest } = findMergeRequest(context, request);
    await freshMergeRequest(context, mergeRequest);
    const versions = [...store.versionsByMergeRequest.all(String(mergeRequest.id))].reverse();
    response.json(paginate(context, request, response, versions).map(versionJson));
  });

  routes.get(`${base}/versions/:version_id`, async (request, response) => {
    const { project, mergeRequest } = findMergeRequest(context, request);
    const unidiff = Parameters.of(request).boolean("unidiff") ?? false;
    const version = store.mergeRequestVersions.get(pathId(request, "version_id"));
    if (version?.mergeRequestId !== mergeRequest.id) throw notFound();
    const { files } = await diffOf(mergeRequest, version);
    response.json({
      ...versionJson(version),
      commits: await commitsJson(project, await versionCommits(context, project.id, version)),
      diffs: files.map((file) => diffJson(file, unidiff)),
    });
  });

  routes.get(`${base}/merge_ref`, async (request, response) => {
    const { mergeRequest } = findMergeRequest(context, request);
    const { checked, state } = await freshMergeRequest(context, mergeRequest);
    if (state !== "opened" || !checked?.merge) throw badRequest("Merge request is not mergeable");
    response.json({ commit_id: checked.merge });
  });

  routes.get(`${base}/pipelines`, async (request, response) => {
    const { mergeRequest } = findMergeRequest(context, request);
    const pipelines = (await mergeRequestPipelines(context, mergeRequest)).reverse();
    response.json(paginate(context, request, response, pipelines));
  });

  routes.post(`${base}/pipelines`, async (request, response) => {
    const { user } = findProjectToChange(context, request, "developer");
    const { mergeRequest } = findMergeRequest(context, request);
    const pipeline = await createMergeRequestPipeline(context, mergeRequest, user);
    if (!pipeline) throw badRequest({ base: ["No stages / jobs for this pipeline."] });
    response.status(201).json(ciPipelineJson(context, pipeline));
  });

  routes.get(`${base}/participants`, (request, response) => {
    const { mergeRequest } = findMergeRequest(context, request);
    const notes = store.notesByTarget.all(noteTarget(mergeRequest)).filter((note) => !note.system);
    const { authorId, assigneeIds, reviewerIds } = mergeRequest;
    const ids = new Set([authorId, ...assigneeIds, ...reviewerIds, ...notes.map((note) => note.authorId)]);
    const people = [...ids].flatMap((id) => userBasicJsonById(context, id) ?? []);
    response.json(paginate(context, request, response, people));
  });

  routes.get(`${base}/reviewers`, (request, response) => {
    const { mergeRequest } = findMergeRequest(context, request);
    const approved = new Set(mergeRequest.approvals.map((each) => each.userId));
    const reviewers = mergeRequest.reviewerIds.flatMap((id) => {
      const user = userBasicJsonById(context, id);
      const state = approved.has(id) ? "approved" : "unreviewed";
      return user ? [{ user, state, created_at: mergeRequest.createdAt }] : [];
    });
    response.json(paginate(context, request, response, reviewers));
  });

  function latestDiff(mergeRequest: MergeRequestRecord): Promise<Diff> {
    const version = latestVersion(context, mergeRequest);
    return version ? diffOf(mergeRequest, version) : Promise.resolve({ files: [], isOverflow: false });
  }

  function diffOf(mergeRequest: MergeRequestRecord, version: MergeRequestVersionRecord): Promise<Diff> {
    return readDiff(git, repositories.path(mergeRequest.projectId), version.base, version.head);
  }

  async function commitsJson(project: ProjectRecord, ids: readonly string[]) {
    const gitDir = repositories.path(project.id);
    const commits = await Promise.all(ids.map((id) => context.objects.commit(gitDir, id)));
    return commits.flatMap((commit) => (commit ? [commitJson(context, project, commit)] : []));
  }

  return routes;
}

function versionJson(version: MergeRequestVersionRecord) {
  return {
    id: version.id,
    head_commit_sha: version.head,
    base_commit_sha: version.base,
    start_commit_sha: version.start,
    created_at: version.createdAt,
    merge_request_id: version.mergeRequestId,
    state: "collected",
    real_size: version.realSize,
    patch_id_sha: version.patchId,
  };
}
