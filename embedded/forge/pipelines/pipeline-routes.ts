import { type Request, Router } from "express";
import type { ForgeContext } from "../forge-context.ts";
import { ApiError, badParameter, forbidden, notFound } from "../http/api-error.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters } from "../http/parameters.ts";
import { bridgeJson, jobJson } from "../jobs/job-json.ts";
import { findProject, findProjectToChange } from "../projects/find-project.ts";
import type { CiJob, CiPipeline } from "./ci-records.ts";
import { pipelineSources } from "./ci-records.ts";
import { createPipeline } from "./create-pipeline.ts";
import { forgetPipeline } from "./forget-pipeline.ts";
import { givenVariables } from "./given-variables.ts";
import { cancelAll, cancelPipeline, retryPipeline } from "./job-actions.ts";
import { findPipeline, findPipelineToChange } from "./pipeline-access.ts";
import { ciPipelineJson, pipelineDetailJson } from "./pipeline-json.ts";
import { type CiStatus, ciStatuses, isComplete } from "./state/composite-status.ts";

const base = "/projects/:id/pipelines";
const maxName = 255;

/** `/projects/:id/pipelines` and `POST /projects/:id/pipeline`. */
export function pipelineRoutes(context: ForgeContext): Router {
  const { store } = context.ci;
  const routes = Router({ caseSensitive: true });

  routes.get(base, (request, response) => {
    const project = findProject(context, request, "code");
    const wanted = filterOf(context, Parameters.of(request));
    const all = store.pipelinesByProject.all(String(project.id)).filter(wanted.matches).sort(wanted.order);
    response.json(paginate(context, request, response, all).map((each) => ciPipelineJson(context, each)));
  });

  routes.get(`${base}/latest`, (request, response) => {
    const project = findProject(context, request, "code");
    const ref = Parameters.of(request).filled("ref") ?? project.defaultBranch;
    const all = store.pipelinesByProject.all(String(project.id));
    const newest = all.findLast((each) => each.ref === ref && each.source !== "parent_pipeline");
    if (!newest) throw forbidden();
    response.json(pipelineDetailJson(context, project, newest));
  });

  routes.get(`${base}/:pipeline`, (request, response) => {
    const { project, pipeline } = findPipeline(context, request);
    response.json(pipelineDetailJson(context, project, pipeline));
  });

  routes.post("/projects/:id/pipeline", async (request, response) => {
    const { project, user } = findProjectToChange(context, request, "developer");
    const parameters = Parameters.of(request);
    const inputs = inputsOf(request);
    const pipeline = await createPipeline(context, {
      project,
      user,
      ref: parameters.requiredFilled("ref").replace(/^refs\/(heads|tags)\//, ""),
      source: "api",
      variables: givenVariables(parameters, "variables"),
      ...(inputs === undefined ? {} : { inputs }),
    });
    if (!pipeline) throw notFound("Project");
    response.status(201).json(pipelineDetailJson(context, project, pipeline));
  });

  routes.post(`${base}/:pipeline/retry`, async (request, response) => {
    const { project, user, pipeline } = findPipelineToChange(context, request);
    const again = await retryPipeline(context, pipeline.id, user);
    response.status(201).json(pipelineDetailJson(context, project, again ?? pipeline));
  });

  routes.post(`${base}/:pipeline/cancel`, async (request, response) => {
    const { project, pipeline } = findPipelineToChange(context, request);
    const canceled = await cancelPipeline(context, pipeline.id);
    response.json(pipelineDetailJson(context, project, canceled ?? pipeline));
  });

  routes.put(`${base}/:pipeline/metadata`, async (request, response) => {
    const { project, pipeline } = findPipelineToChange(context, request);
    const name = Parameters.of(request).required("name");
    if (name.length > maxName)
      throw new ApiError(400, { message: { name: [`is too long (maximum is ${maxName} characters)`] } });
    response.json(pipelineDetailJson(context, project, await store.pipelines.update(pipeline.id, { name })));
  });

  routes.delete(`${base}/:pipeline`, async (request, response) => {
    findProjectToChange(context, request, "owner");
    const { pipeline } = findPipeline(context, request);
    await context.ci.serially(async () => {
      await cancelAll(context, pipeline.id);
      await forgetPipeline(context, pipeline.id);
    });
    response.status(204).end();
  });

  routes.get(`${base}/:pipeline/jobs`, (request, response) => {
    const { pipeline } = findPipeline(context, request);
    const jobs = jobsOf(context, request, pipeline).filter(({ plan }) => !plan.trigger);
    response.json(paginate(context, request, response, jobs).map((job) => jobJson(context, job)));
  });

  routes.get(`${base}/:pipeline/bridges`, (request, response) => {
    const { pipeline } = findPipeline(context, request);
    const bridges = jobsOf(context, request, pipeline).filter(({ plan }) => plan.trigger);
    response.json(paginate(context, request, response, bridges).map((job) => bridgeJson(context, job)));
  });

  routes.get(`${base}/:pipeline/variables`, (request, response) => {
    findProject(context, request, "developer");
    const { pipeline } = findPipeline(context, request);
    response.json(
      pipeline.variables.map(({ key, value, type, raw }) => ({ key, value, variable_type: type, raw })),
    );
  });

  return routes;
}

/** Of several attempts the newest alone, unless all are asked for; the newest job first. */
function jobsOf({ ci }: ForgeContext, request: Request, pipeline: CiPipeline): CiJob[] {
  const parameters = Parameters.of(request);
  const withRetried = parameters.boolean("include_retried") ?? false;
  const scope = scopeOf(parameters);
  return ci.store.jobsByPipeline
    .all(String(pipeline.id))
    .filter(({ retried, status }) => (withRetried || !retried) && (scope?.includes(status) ?? true))
    .sort((a, b) => b.id - a.id);
}

/** `scope[]`: statuses; 400 for what is none. */
export function scopeOf(parameters: Parameters): CiStatus[] | undefined {
  const scope = parameters.texts("scope");
  if (scope === undefined) return undefined;
  const known = ciStatuses as readonly string[];
  if (scope.some((each) => !known.includes(each) && !["preparing", "waiting_for_callback"].includes(each))) {
    throw badParameter("scope does not have a valid value");
  }
  return scope as CiStatus[];
}

function inputsOf(request: Request): Record<string, unknown> | undefined {
  const body = request.body as { inputs?: unknown } | undefined;
  const inputs = body?.inputs;
  if (inputs === undefined || inputs === null) return undefined;
  if (typeof inputs !== "object" || Array.isArray(inputs)) throw badParameter("inputs is invalid");
  return inputs as Record<string, unknown>;
}

function filterOf({ store }: ForgeContext, parameters: Parameters) {
  const scope = parameters.choice("scope", ["running", "pending", "finished", "branches", "tags"]);
  const status = parameters.choice("status", [...ciStatuses, "preparing", "waiting_for_callback"]);
  const source = parameters.choice("source", [...pipelineSources, "external"]);
  const ref = parameters.filled("ref");
  const sha = parameters.filled("sha");
  const name = parameters.filled("name");
  const username = parameters.filled("username");
  const userId =
    username === undefined ? undefined : (store.usersByName.first(username.toLowerCase())?.id ?? -1);
  const after = timeOf(parameters, "updated_after");
  const before = timeOf(parameters, "updated_before");
  const order = parameters.choice("order_by", ["id", "status", "ref", "updated_at", "user_id"]) ?? "id";
  const sign = (parameters.choice("sort", ["asc", "desc"]) ?? "desc") === "asc" ? 1 : -1;
  const key = (each: CiPipeline): string | number => {
    const keys = {
      id: each.id,
      status: each.status,
      ref: each.ref,
      updated_at: each.updatedAt,
      user_id: each.userId,
    };
    return keys[order];
  };
  return {
    matches: (each: CiPipeline) =>
      (source === undefined ? each.source !== "parent_pipeline" : each.source === source) &&
      (status === undefined || each.status === status) &&
      (ref === undefined || each.ref === ref) &&
      (sha === undefined || each.sha === sha) &&
      (name === undefined || each.name === name) &&
      (userId === undefined || each.userId === userId) &&
      (after === undefined || Date.parse(each.updatedAt) > after) &&
      (before === undefined || Date.parse(each.updatedAt) < before) &&
      isInScope(each, scope),
    order: (a: CiPipeline, b: CiPipeline) => {
      const [one, other] = [key(a), key(b)];
      return sign * (one < other ? -1 : one > other ? 1 : a.id - b.id);
    },
  };
}

function isInScope({ status, tag, mergeRequest }: CiPipeline, scope: string | undefined): boolean {
  switch (scope) {
    case "finished":
      return isComplete(status);
    case "branches":
      return !tag && mergeRequest === null;
    case "tags":
      return tag;
    case undefined:
      return true;
    default:
      return status === scope;
  }
}

function timeOf(parameters: Parameters, name: string): number | undefined {
  const text = parameters.filled(name);
  if (text === undefined) return undefined;
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw badParameter(`${name} is invalid`);
  return time;
}
