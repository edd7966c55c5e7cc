import { Router } from "express";
import type { ForgeContext } from "../forge-context.ts";
import { notFound } from "../http/api-error.ts";
import { paginate } from "../http/pagination.ts";
import { pathParameter } from "../http/parameters.ts";
import type { CiJob } from "../pipelines/ci-records.ts";
import { isActive } from "../pipelines/state/composite-status.ts";
import { findProject } from "../projects/find-project.ts";
import { jobJson } from "./job-json.ts";

const base = "/projects/:id/resource_groups";

/** `/projects/:id/resource_groups`: what jobs have for themselves. The one that has waited longest is always next. */
export function resourceGroupRoutes(context: ForgeContext): Router {
  const routes = Router({ caseSensitive: true });
  const groupsOf = (projectId: number) => {
    const groups = new Map<string, CiJob[]>();
    for (const job of context.ci.store.jobsByProject.all(String(projectId))) {
      const key = job.plan.resourceGroup;
      if (key !== null) groups.set(key, [...(groups.get(key) ?? []), job]);
    }
    return groups;
  };
  const groupJson = (key: string, jobs: readonly CiJob[]) => ({
    id: jobs[0]?.id ?? 0,
    key,
    process_mode: "unordered",
    created_at: jobs[0]?.createdAt ?? null,
    updated_at: jobs.at(-1)?.createdAt ?? null,
  });

  routes.get(base, (request, response) => {
    const project = findProject(context, request, "code");
    const all = [...groupsOf(project.id)].map(([key, jobs]) => groupJson(key, jobs));
    response.json(paginate(context, request, response, all));
  });

  routes.get(`${base}/:key`, (request, response) => {
    const project = findProject(context, request, "code");
    const key = pathParameter(request, "key");
    const jobs = groupsOf(project.id).get(key);
    if (!jobs) throw notFound("Resource Group");
    response.json(groupJson(key, jobs));
  });

  routes.get(`${base}/:key/upcoming_jobs`, (request, response) => {
    const project = findProject(context, request, "code");
    const jobs = groupsOf(project.id).get(pathParameter(request, "key"));
    if (!jobs) throw notFound("Resource Group");
    const waiting = jobs
      .filter(({ status }) => status === "waiting_for_resource")
      .sort((a, b) => a.id - b.id);
    response.json(paginate(context, request, response, waiting).map((job) => jobJson(context, job)));
  });

  routes.get(`${base}/:key/current_job`, (request, response) => {
    const project = findProject(context, request, "code");
    const jobs = groupsOf(project.id).get(pathParameter(request, "key")) ?? [];
    const job = jobs.find(({ status }) => isActive(status) && status !== "waiting_for_resource");
    if (!job) throw notFound();
    response.json(jobJson(context, job));
  });

  return routes;
}
