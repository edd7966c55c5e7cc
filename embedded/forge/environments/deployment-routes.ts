import { type Request, Router } from "express";
import type { ForgeContext } from "../forge-context.ts";
import { badRequest, forbidden, notFound } from "../http/api-error.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters, pathId } from "../http/parameters.ts";
import { announceDeployment } from "../pipelines/announce.ts";
import type { DeploymentRecord } from "../pipelines/ci-records.ts";
import { findProject, findProjectToChange } from "../projects/find-project.ts";
import { findCommit } from "../repository/find-commit.ts";
import type { ProjectRecord } from "../store/records.ts";
import { deploymentJson } from "./environment-json.ts";
import { checkedName } from "./environment-routes.ts";
import { ensureEnvironment } from "./find-environment.ts";
import { changeDeployment, createDeployment } from "./note-deployment.ts";

const base = "/projects/:id/deployments";
const settable = ["running", "success", "failed", "canceled"] as const;
const statuses = ["created", ...settable, "blocked", "skipped"] as const;
const maxDeployments = 500; // of one environment; older ones go

/** `/projects/:id/deployments`: those of jobs, and those that somebody tells of. */
export function deploymentRoutes(context: ForgeContext): Router {
  const { store } = context.ci;
  const routes = Router({ caseSensitive: true });

  routes.get(base, (request, response) => {
    const project = findProject(context, request, "code");
    const parameters = Parameters.of(request);
    const name = parameters.filled("environment");
    const status = parameters.choice("status", statuses);
    const order =
      parameters.choice("order_by", ["id", "iid", "created_at", "updated_at", "finished_at", "ref"]) ?? "id";
    const sign = (parameters.choice("sort", ["asc", "desc"]) ?? "asc") === "asc" ? 1 : -1;
    const after = Date.parse(parameters.filled("updated_after") ?? "");
    const found = store.deploymentsByProject.all(String(project.id)).filter((each) => {
      const environment = store.environments.get(each.environmentId);
      return (
        (name === undefined || environment?.name === name) &&
        (status === undefined || each.status === status) &&
        (Number.isNaN(after) || Date.parse(each.updatedAt) > after)
      );
    });
    const key = (each: DeploymentRecord) =>
      order === "ref"
        ? each.ref
        : /_at$/.test(order)
          ? order === "created_at"
            ? each.createdAt
            : each.updatedAt
          : each.id;
    found.sort((a, b) => sign * (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : a.id - b.id));
    response.json(paginate(context, request, response, found).map((each) => deploymentJson(context, each)));
  });

  routes.get(`${base}/:deployment`, (request, response) => {
    const project = findProject(context, request, "code");
    response.json(deploymentJson(context, deploymentOf(context, request, project)));
  });

  routes.post(base, async (request, response) => {
    const { project, user } = findProjectToChange(context, request, "developer");
    const parameters = Parameters.of(request);
    const name = checkedName(parameters.requiredFilled("environment"));
    const commit = await findCommit(context, project, parameters.requiredFilled("sha"));
    const ref = parameters.requiredFilled("ref");
    const tag = parameters.boolean("tag") ?? false;
    parameters.required("status");
    const status = parameters.choice("status", settable) ?? "running";
    const made = await context.ci.serially(async () => {
      const environment = await ensureEnvironment(context, project.id, { name });
      const deployment = await createDeployment(context, {
        projectId: project.id,
        environmentId: environment.id,
        ref,
        tag,
        sha: commit.id,
        status,
        userId: user.id,
        jobId: null,
      });
      await follow(context, deployment);
      const all = store.deploymentsByEnvironment.all(String(environment.id));
      for (const { id } of all.slice(0, Math.max(0, all.length - maxDeployments)))
        await store.deployments.remove(id);
      return deployment;
    });
    announceDeployment(context, made);
    response.status(201).json(deploymentJson(context, made));
  });

  routes.put(`${base}/:deployment`, async (request, response) => {
    const { project } = findProjectToChange(context, request, "developer");
    const deployment = deploymentOf(context, request, project);
    const parameters = Parameters.of(request);
    parameters.required("status");
    const status = parameters.choice("status", settable) ?? "running";
    if (deployment.jobId !== null) throw forbidden(); // its job decides
    const isOver = deployment.status !== "running" && deployment.status !== "created";
    if (isOver && deployment.status !== status) {
      throw badRequest({ status: [`cannot go from ${deployment.status} to ${status}`] });
    }
    const changed = await context.ci.serially(async () => {
      const saved = await changeDeployment(context, deployment.id, status);
      await follow(context, saved);
      return saved;
    });
    announceDeployment(context, changed);
    response.json(deploymentJson(context, changed));
  });

  routes.delete(`${base}/:deployment`, async (request, response) => {
    const { project } = findProjectToChange(context, request, "maintainer");
    await store.deployments.remove(deploymentOf(context, request, project).id);
    response.status(204).end();
  });

  return routes;
}

/** What is deployed well is available. */
async function follow(
  context: ForgeContext,
  { environmentId, status, updatedAt }: DeploymentRecord,
): Promise<void> {
  if (status !== "success") return;
  await context.ci.store.environments.update(environmentId, { state: "available", updatedAt });
}

function deploymentOf({ ci }: ForgeContext, request: Request, project: ProjectRecord): DeploymentRecord {
  const deployment = ci.store.deployments.get(pathId(request, "deployment"));
  if (deployment?.projectId !== project.id) throw notFound("Deployment");
  return deployment;
}
