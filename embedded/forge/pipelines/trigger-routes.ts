import { randomBytes } from "node:crypto";
import { type Request, Router } from "express";
import { canSeeProject } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { badParameter, forbidden, notFound } from "../http/api-error.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters, pathId, pathParameter } from "../http/parameters.ts";
import { findProject, findProjectToChange, projectByIdOrPath } from "../projects/find-project.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";
import { hashToken } from "../tokens/access-token.ts";
import { userBasicJsonById } from "../users/user-json.ts";
import type { CiJob, TriggerRecord } from "./ci-records.ts";
import { createPipeline, type NewPipeline } from "./create-pipeline.ts";
import { variableMap } from "./given-variables.ts";
import { pipelineDetailJson } from "./pipeline-json.ts";
import { isComplete } from "./state/composite-status.ts";

const maxTriggers = 100; // of one project
const shownChars = 4; // of a token that is somebody else's

/** Paths below `/api/v4` that need no sign-in: the token they carry is all. */
export const triggerPath = /^\/projects\/[^/]+\/(ref\/[^/]+\/)?trigger\/pipeline$/;

/** Trigger tokens for Maintainers, and starting a pipeline with one. */
export function triggerRoutes(context: ForgeContext): Router {
  const { store } = context.ci;
  const routes = Router({ caseSensitive: true });
  const base = "/projects/:id/triggers";

  for (const path of ["/projects/:id/trigger/pipeline", "/projects/:id/ref/:ref/trigger/pipeline"]) {
    routes.post(path, async (request, response) => {
      // A hook of one pipeline that starts the next has no end.
      if (request.get("x-gitlab-event") === "Pipeline Hook") throw forbidden();
      const wanted = await wantedOf(context, request);
      const pipeline = await createPipeline(context, wanted);
      if (!pipeline) throw notFound();
      response.status(201).json(pipelineDetailJson(context, wanted.project, pipeline));
    });
  }

  routes.get(base, (request, response) => {
    const { project, user } = maintained(context, request);
    const all = store.triggersByProject.all(String(project.id));
    response.json(paginate(context, request, response, all).map((each) => triggerJson(context, each, user)));
  });

  routes.post(base, async (request, response) => {
    const { project, user } = maintained(context, request);
    const description = Parameters.of(request).required("description").slice(0, 255);
    if (store.triggersByProject.all(String(project.id)).length >= maxTriggers) {
      throw badParameter(`the project has ${maxTriggers} trigger tokens, which is the most there can be`);
    }
    const made = await store.triggers.insert((id) => ({
      id,
      projectId: project.id,
      ownerId: user.id,
      description,
      token: `glptt-${randomBytes(20).toString("hex")}`,
      createdAt: context.clock().toISOString(),
      lastUsedAt: null,
    }));
    response.status(201).json(triggerJson(context, made, user));
  });

  routes.get(`${base}/:trigger`, (request, response) => {
    const { user, trigger } = found(context, request);
    response.json(triggerJson(context, trigger, user));
  });

  routes.put(`${base}/:trigger`, async (request, response) => {
    const { user, trigger } = found(context, request);
    const description = Parameters.of(request).text("description")?.slice(0, 255);
    const changed =
      description === undefined ? trigger : await store.triggers.update(trigger.id, { description });
    response.json(triggerJson(context, changed, user));
  });

  routes.delete(`${base}/:trigger`, async (request, response) => {
    await store.triggers.remove(found(context, request).trigger.id);
    response.status(204).end();
  });

  return routes;
}

/** Whoever shows a token acts as its owner: a trigger's, or a running job's. An unknown one learns nothing of the project. */
async function wantedOf(context: ForgeContext, request: Request): Promise<NewPipeline> {
  const { ci, store, clock } = context;
  const parameters = Parameters.of(request);
  const token = parameters.requiredFilled("token");
  const project = projectByIdOrPath(store, pathParameter(request, "id"));
  const trigger =
    project && ci.store.triggersByProject.all(String(project.id)).find((each) => isSame(each.token, token));
  const job = trigger ? undefined : runningJob(context, token);
  const user = store.users.get(trigger?.ownerId ?? job?.userId ?? -1);
  if (!project || user?.state !== "active" || !canSeeProject(store, user, project, clock())) throw notFound();
  const ref = pathParameter(request, "ref") || parameters.required("ref");
  const body = request.body as { variables?: unknown; inputs?: unknown } | undefined;
  const variables = variableMap(body?.variables ?? request.query["variables"]);
  const inputs = body?.inputs;
  if (inputs !== undefined && (typeof inputs !== "object" || inputs === null))
    throw badParameter("inputs is invalid");
  if (trigger) await ci.store.triggers.update(trigger.id, { lastUsedAt: clock().toISOString() });
  return {
    project,
    user,
    ref: ref.replace(/^refs\/(heads|tags)\//, ""),
    source: trigger ? "trigger" : "pipeline",
    variables,
    ...(inputs === undefined ? {} : { inputs: inputs as Record<string, unknown> }),
  };
}

function runningJob({ ci }: ForgeContext, token: string): CiJob | undefined {
  const job = ci.store.jobsByToken.first(hashToken(token));
  return job && !isComplete(job.status) ? job : undefined;
}

/** Compared by their hashes, so that the time it takes tells nothing. */
function isSame(one: string, other: string): boolean {
  return hashToken(one) === hashToken(other);
}

function maintained(context: ForgeContext, request: Request): { project: ProjectRecord; user: UserRecord } {
  findProject(context, request, "maintainer");
  return findProjectToChange(context, request, "maintainer");
}

function found(context: ForgeContext, request: Request): { user: UserRecord; trigger: TriggerRecord } {
  const { project, user } = maintained(context, request);
  const trigger = context.ci.store.triggers.get(pathId(request, "trigger"));
  if (trigger?.projectId !== project.id) throw notFound("Trigger");
  return { user, trigger };
}

function triggerJson(context: ForgeContext, trigger: TriggerRecord, viewer: UserRecord) {
  return {
    id: trigger.id,
    description: trigger.description,
    token:
      trigger.ownerId === viewer.id ? trigger.token : trigger.token.slice(0, "glptt-".length + shownChars),
    owner: userBasicJsonById(context, trigger.ownerId),
    created_at: trigger.createdAt,
    updated_at: trigger.createdAt,
    last_used: trigger.lastUsedAt,
    expires_at: null,
  };
}
