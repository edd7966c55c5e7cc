import { Router } from "express";
import type { ForgeContext } from "../forge-context.ts";
import type { GitCommit } from "../git/commit.ts";
import { badParameter, notFound } from "../http/api-error.ts";
import { pageOf, setPageHeaders } from "../http/pagination.ts";
import { Parameters, pathParameter } from "../http/parameters.ts";
import { latestPipelineJson } from "../pipelines/latest-pipeline.ts";
import { findProject, findProjectToChange } from "../projects/find-project.ts";
import type { ProjectRecord } from "../store/records.ts";
import { commitFiles } from "./commit-files.ts";
import { commitJson } from "./commit-json.ts";
import { commitStats } from "./commit-stats.ts";
import type { FileAction } from "./file-actions.ts";
import { fileContent } from "./file-content.ts";
import { findCommit } from "./find-commit.ts";
import { listCommits } from "./list-commits.ts";

const maxActions = 10_000; // files in one commit through the API

/** `/projects/:id/repository/commits`. */
export function commitRoutes(context: ForgeContext): Router {
  const { git, repositories } = context;
  const routes = Router({ caseSensitive: true });

  routes.get("/projects/:id/repository/commits", async (request, response) => {
    const project = findProject(context, request, "code");
    const parameters = Parameters.of(request);
    const page = pageOf(request);
    const listed = await listCommits(context, project, parameters, page);
    if (!listed) throw notFound("Commit");
    setPageHeaders(context, request, response, { ...page, hasNext: listed.hasNext });
    const withStats = parameters.boolean("with_stats") ?? false;
    const gitDir = repositories.path(project.id);
    const json = listed.commits.map(async (commit) => ({
      ...commitJson(context, project, commit),
      ...(withStats && { stats: await commitStats(git, gitDir, commit) }),
    }));
    response.json(await Promise.all(json));
  });

  routes.get("/projects/:id/repository/commits/:sha", async (request, response) => {
    const project = findProject(context, request, "code");
    const commit = await findCommit(context, project, pathParameter(request, "sha"));
    const stats = Parameters.of(request).boolean("stats") ?? true;
    response.json(await commitDetailJson(context, project, commit, stats));
  });

  routes.post("/projects/:id/repository/commits", async (request, response) => {
    const { project, user } = findProjectToChange(context, request, "developer");
    const parameters = Parameters.of(request);
    const branch = parameters.requiredFilled("branch");
    const message = parameters.required("commit_message");
    const records = parameters.records("actions");
    if (!records) throw badParameter("actions is missing");
    if (records.length > maxActions) throw badParameter(`actions has more than ${maxActions} entries`);
    const start = startOf(parameters);
    const authorName = parameters.filled("author_name");
    const authorEmail = parameters.filled("author_email");
    const commit = await commitFiles(context, project, user, {
      branch,
      message,
      actions: records.map(actionOf),
      force: parameters.boolean("force") ?? false,
      ...(start !== undefined && { start }),
      ...(authorName !== undefined && { authorName }),
      ...(authorEmail !== undefined && { authorEmail }),
    });
    const stats = parameters.boolean("stats") ?? true;
    response.status(201).json(await commitDetailJson(context, project, commit, stats));
  });

  return routes;
}

/** Where a new branch is to start; a branch and a commit exclude each other. */
export function startOf(parameters: Parameters): string | undefined {
  if (parameters.filled("start_project") !== undefined) {
    throw badParameter("start_project is not supported here");
  }
  const branch = parameters.filled("start_branch");
  const commit = parameters.filled("start_sha");
  if (branch !== undefined && commit !== undefined) {
    throw badParameter("start_branch, start_sha are mutually exclusive");
  }
  return branch ?? commit;
}

async function commitDetailJson(
  context: ForgeContext,
  project: ProjectRecord,
  commit: GitCommit,
  stats: boolean,
) {
  const pipeline = (await latestPipelineJson(context, project, commit.id)) ?? null;
  const gitDir = context.repositories.path(project.id);
  return {
    ...commitJson(context, project, commit),
    ...(stats && { stats: await commitStats(context.git, gitDir, commit) }),
    status: pipeline?.status ?? null,
    project_id: project.id,
    last_pipeline: pipeline,
  };
}

function actionOf(parameters: Parameters): FileAction {
  const action = parameters.choice("action", ["create", "update", "delete", "move", "chmod"]);
  if (!action) throw badParameter("actions[action] is missing");
  const path = parameters.required("file_path");
  const previousPath = action === "move" ? parameters.required("previous_path") : undefined;
  const needsContent = action === "create" || action === "update";
  if (needsContent && !parameters.has("content")) throw badParameter("actions[content] is missing");
  const content = needsContent || action === "move" ? fileContent(parameters, needsContent) : undefined;
  const executable = parameters.boolean("execute_filemode");
  if (action === "chmod" && executable === undefined)
    throw badParameter("actions[execute_filemode] is missing");
  const lastCommitId = parameters.filled("last_commit_id");
  return {
    action,
    path,
    ...(previousPath !== undefined && { previousPath }),
    ...(content && { content }),
    ...(executable !== undefined && { executable }),
    ...(lastCommitId !== undefined && { lastCommitId }),
  };
}
