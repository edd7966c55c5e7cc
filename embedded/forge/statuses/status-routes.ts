import { type Request, Router } from "express";
import type { ForgeContext } from "../forge-context.ts";
import { isObjectId } from "../git/ref-name.ts";
import { branchHead } from "../git/refs.ts";
import { badParameter, notFound } from "../http/api-error.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters, pathParameter } from "../http/parameters.ts";
import { findProject, findProjectToChange } from "../projects/find-project.ts";
import type { ProjectRecord } from "../store/records.ts";
import { checkStatusTexts, StatusSetter, type WantedStatus } from "./set-status.ts";
import { jobStatusJson, statusJson } from "./status-json.ts";
import { statusStates } from "./status-store.ts";

/** `POST /projects/:id/statuses/:sha` and `GET /projects/:id/repository/commits/:sha/statuses`. */
export function statusRoutes(context: ForgeContext): Router {
  const routes = Router({ caseSensitive: true });
  const setter = new StatusSetter(context);

  routes.post("/projects/:id/statuses/:sha", async (request, response) => {
    const { project, user } = findProjectToChange(context, request, "developer");
    const wanted = wantedStatus(Parameters.of(request));
    checkStatusTexts(wanted);
    const commit = await findCommitId(context, project, request);
    const status = await setter.set(project, user, commit, wanted);
    response.status(201).json(statusJson(context, commit, status));
  });

  routes.get("/projects/:id/repository/commits/:sha/statuses", async (request, response) => {
    const project = findProject(context, request, "code");
    const commit = await findCommitId(context, project, request);
    const parameters = Parameters.of(request);
    const all = parameters.boolean("all") ?? false;
    const ref = parameters.filled("ref");
    const name = parameters.filled("name");
    const stage = parameters.filled("stage");
    const pipelineId = parameters.integer("pipeline_id");
    const order = parameters.choice("order_by", ["id", "pipeline_id"]) ?? "id";
    const sign = (parameters.choice("sort", ["asc", "desc"]) ?? "asc") === "asc" ? 1 : -1;
    const { statuses } = await context.statuses.read(project.id, commit);
    const listed = [
      ...statuses.map((each) => ({ ...each, stage: "external", json: statusJson(context, commit, each) })),
      ...jobStatuses(context, project, commit),
    ];
    const found = listed.filter(
      (each) =>
        (all || !each.retried) &&
        (ref === undefined || each.ref === ref) &&
        (name === undefined || each.name === name) &&
        (stage === undefined || each.stage === stage) &&
        (pipelineId === undefined || each.pipelineId === pipelineId),
    );
    found.sort((a, b) => sign * ((order === "pipeline_id" ? a.pipelineId - b.pipelineId : 0) || a.id - b.id));
    const page = paginate(context, request, response, found);
    response.json(page.map(({ json }) => json));
  });

  return routes;
}

/** Jobs of the commit's pipelines, as they stand among its statuses. */
function jobStatuses(context: ForgeContext, project: ProjectRecord, commit: string) {
  const { store } = context.ci;
  return store.pipelinesByCommit.all(`${project.id}:${commit}`).flatMap((pipeline) =>
    store.jobsByPipeline.all(String(pipeline.id)).map((job) => ({
      id: job.id,
      pipelineId: pipeline.id,
      retried: job.retried,
      ref: pipeline.ref,
      name: job.plan.name,
      stage: job.plan.stage,
      json: jobStatusJson(context, pipeline, job),
    })),
  );
}

/** The head of the default branch, which most statuses are for, is known to be a commit without its being read. */
async function findCommitId(
  context: ForgeContext,
  project: ProjectRecord,
  request: Request,
): Promise<string> {
  const gitDir = context.repositories.path(project.id);
  const named = pathParameter(request, "sha");
  if (isObjectId(named) && (await branchHead(gitDir, project.defaultBranch)) === named) return named;
  const commit = await context.objects.resolve(gitDir, named);
  if (!commit) throw notFound("Commit");
  return commit.id;
}

function wantedStatus(parameters: Parameters): WantedStatus {
  parameters.required("state");
  const state = parameters.choice("state", statusStates);
  if (!state) throw badParameter("state does not have a valid value");
  const ref = parameters.filled("ref")?.replace(/^refs\/(heads|tags)\//, "");
  const targetUrl = parameters.text("target_url");
  const description = parameters.text("description");
  const coverage = parameters.number("coverage");
  const pipelineId = parameters.integer("pipeline_id");
  return {
    state,
    name: parameters.filled("name") ?? parameters.filled("context") ?? "default",
    ...(ref !== undefined && { ref }),
    ...(targetUrl !== undefined && { targetUrl }),
    ...(description !== undefined && { description }),
    ...(coverage !== undefined && { coverage }),
    ...(pipelineId !== undefined && { pipelineId }),
  };
}
