import { type Request, Router } from "express";
import { accessLevels } from "../access/access-level.ts";
import { projectLevel } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { badRequest, forbidden, notFound } from "../http/api-error.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters, pathId, pathParameter } from "../http/parameters.ts";
import { findProject, findProjectToChange } from "../projects/find-project.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";
import { userBasicJsonById } from "../users/user-json.ts";
import type { GivenVariable, ScheduleRecord } from "./ci-records.ts";
import { maxGivenVariables } from "./create-pipeline.ts";
import { checked } from "./given-variables.ts";
import { ciPipelineJson } from "./pipeline-json.ts";
import { runSchedule } from "./run-schedule.ts";
import { nextRun } from "./schedule-time.ts";

const maxSchedules = 50; // of one project
const base = "/projects/:id/pipeline_schedules";

/** `/projects/:id/pipeline_schedules` with their variables, `play` and `take_ownership`. */
export function scheduleRoutes(context: ForgeContext): Router {
  const { schedules, schedulesByProject } = context.ci.store;
  const routes = Router({ caseSensitive: true });

  routes.get(base, (request, response) => {
    const project = findProject(context, request, "code");
    const all = schedulesByProject.all(String(project.id));
    response.json(paginate(context, request, response, all).map((each) => scheduleJson(context, each)));
  });

  routes.post(base, async (request, response) => {
    const { project, user } = findProjectToChange(context, request, "developer");
    if (schedulesByProject.all(String(project.id)).length >= maxSchedules) {
      throw badRequest({ base: [`Maximum number of pipeline schedules (${maxSchedules}) exceeded`] });
    }
    const parameters = Parameters.of(request);
    const fresh = {
      description: parameters.requiredFilled("description"),
      ref: plainRef(parameters.requiredFilled("ref")),
      cron: parameters.requiredFilled("cron"),
      timezone: parameters.filled("cron_timezone") ?? "UTC",
      active: parameters.boolean("active") ?? true,
    };
    const now = context.clock();
    const made = await schedules.insert((id) => ({
      id,
      projectId: project.id,
      ownerId: user.id,
      ...fresh,
      variables: [],
      nextRunAt: due(fresh, now),
      lastPipelineId: null,
      createdAt: now.toISOString(),
      updatedAt: now.toISOString(),
    }));
    response.status(201).json(scheduleDetailJson(context, made));
  });

  routes.get(`${base}/:schedule`, (request, response) => {
    const project = findProject(context, request, "code");
    response.json(scheduleDetailJson(context, scheduleOf(context, request, project)));
  });

  routes.put(`${base}/:schedule`, async (request, response) => {
    const { schedule } = toChange(context, request);
    const parameters = Parameters.of(request);
    const changed = {
      description: parameters.filled("description") ?? schedule.description,
      ref: plainRef(parameters.filled("ref") ?? schedule.ref),
      cron: parameters.filled("cron") ?? schedule.cron,
      timezone: parameters.filled("cron_timezone") ?? schedule.timezone,
      active: parameters.boolean("active") ?? schedule.active,
    };
    const now = context.clock();
    const nextRunAt = due(changed, now);
    const saved = await schedules.update(schedule.id, {
      ...changed,
      nextRunAt,
      updatedAt: now.toISOString(),
    });
    response.json(scheduleDetailJson(context, saved));
  });

  routes.delete(`${base}/:schedule`, async (request, response) => {
    await schedules.remove(toChange(context, request).schedule.id);
    response.status(204).end();
  });

  routes.post(`${base}/:schedule/play`, async (request, response) => {
    const { schedule } = toChange(context, request, "anybody");
    await runSchedule(context, schedule);
    response.status(201).json({ message: "201 Created" });
  });

  routes.post(`${base}/:schedule/take_ownership`, async (request, response) => {
    const { schedule, user } = toChange(context, request, "anybody");
    response
      .status(201)
      .json(scheduleDetailJson(context, await schedules.update(schedule.id, { ownerId: user.id })));
  });

  routes.post(`${base}/:schedule/variables`, async (request, response) => {
    const { schedule } = toChange(context, request);
    const variable = variableOf(Parameters.of(request), undefined);
    if (schedule.variables.some(({ key }) => key === variable.key)) {
      throw badRequest({ key: [`(${variable.key}) has already been taken`] });
    }
    if (schedule.variables.length >= maxGivenVariables) {
      throw badRequest({ base: [`Maximum number of variables (${maxGivenVariables}) exceeded`] });
    }
    await schedules.update(schedule.id, { variables: [...schedule.variables, variable] });
    response.status(201).json(variableJson(variable));
  });

  routes.put(`${base}/:schedule/variables/:key`, async (request, response) => {
    const { schedule } = toChange(context, request);
    const before = schedule.variables.find(({ key }) => key === pathParameter(request, "key"));
    if (!before) throw notFound("Pipeline Schedule Variable");
    const variable = variableOf(Parameters.of(request), before);
    const variables = schedule.variables.map((each) => (each === before ? variable : each));
    await schedules.update(schedule.id, { variables });
    response.json(variableJson(variable));
  });

  routes.delete(`${base}/:schedule/variables/:key`, async (request, response) => {
    const { schedule } = toChange(context, request);
    const before = schedule.variables.find(({ key }) => key === pathParameter(request, "key"));
    if (!before) throw notFound("Pipeline Schedule Variable");
    await schedules.update(schedule.id, { variables: schedule.variables.filter((each) => each !== before) });
    response.status(202).json(variableJson(before));
  });

  return routes;
}

/** Its owner or a Maintainer may change a schedule, since its pipelines run in its owner's name; any Developer may play it or make it theirs. */
function toChange(
  context: ForgeContext,
  request: Request,
  who: "owner" | "anybody" = "owner",
): { project: ProjectRecord; user: UserRecord; schedule: ScheduleRecord } {
  const { project, user } = findProjectToChange(context, request, "developer");
  const schedule = scheduleOf(context, request, project);
  const level = projectLevel(context.store, user, project, context.clock());
  if (who === "owner" && schedule.ownerId !== user.id && level < accessLevels.maintainer) throw forbidden();
  return { project, user, schedule };
}

function scheduleOf({ ci }: ForgeContext, request: Request, project: ProjectRecord): ScheduleRecord {
  const schedule = ci.store.schedules.get(pathId(request, "schedule"));
  if (schedule?.projectId !== project.id) throw notFound("Pipeline Schedule");
  return schedule;
}

function due(
  { cron, timezone, active }: { cron: string; timezone: string; active: boolean },
  now: Date,
): string | null {
  const next = nextRun(cron, timezone, now);
  if (!next) throw badRequest({ cron: ["syntax is invalid"] });
  return active ? next.toISOString() : null;
}

function plainRef(ref: string): string {
  return ref.replace(/^refs\/(heads|tags)\//, "");
}

function variableOf(parameters: Parameters, before: GivenVariable | undefined): GivenVariable {
  return checked({
    key: before?.key ?? parameters.required("key"),
    value: before && !parameters.has("value") ? before.value : parameters.required("value"),
    type: parameters.choice("variable_type", ["env_var", "file"]) ?? before?.type ?? "env_var",
    raw: parameters.boolean("raw") ?? before?.raw ?? false,
  });
}

function variableJson({ key, value, type, raw }: GivenVariable) {
  return { key, value, variable_type: type, raw };
}

function scheduleJson(context: ForgeContext, schedule: ScheduleRecord) {
  return {
    id: schedule.id,
    description: schedule.description,
    ref: `refs/heads/${schedule.ref}`,
    cron: schedule.cron,
    cron_timezone: schedule.timezone,
    next_run_at: schedule.nextRunAt,
    active: schedule.active,
    created_at: schedule.createdAt,
    updated_at: schedule.updatedAt,
    owner: userBasicJsonById(context, schedule.ownerId),
  };
}

function scheduleDetailJson(context: ForgeContext, schedule: ScheduleRecord) {
  const last =
    schedule.lastPipelineId === null ? undefined : context.ci.store.pipelines.get(schedule.lastPipelineId);
  return {
    ...scheduleJson(context, schedule),
    last_pipeline: last ? ciPipelineJson(context, last) : null,
    variables: schedule.variables.map(variableJson),
  };
}
