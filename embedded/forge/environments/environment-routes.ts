import { type Request, Router } from "express";
import type { ForgeContext } from "../forge-context.ts";
import { badRequest, forbidden, notFound } from "../http/api-error.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters, pathId } from "../http/parameters.ts";
import type { EnvironmentRecord } from "../pipelines/ci-records.ts";
import { findProject, findProjectToChange } from "../projects/find-project.ts";
import type { ProjectRecord } from "../store/records.ts";
import { environmentDetailJson, environmentJson } from "./environment-json.ts";
import { ensureEnvironment, environmentByName } from "./find-environment.ts";
import { stopEnvironment } from "./stop-environment.ts";

const maxEnvironments = 1_000; // of one project
const base = "/projects/:id/environments";
const tiers = ["production", "staging", "testing", "development", "other"] as const;

/** `/projects/:id/environments`. */
export function environmentRoutes(context: ForgeContext): Router {
  const { store } = context.ci;
  const routes = Router({ caseSensitive: true });

  routes.get(base, (request, response) => {
    const project = findProject(context, request, "code");
    const parameters = Parameters.of(request);
    const name = parameters.filled("name");
    const search = parameters.filled("search")?.toLowerCase();
    const state = parameters.choice("states", ["available", "stopping", "stopped"]);
    const all = store.environmentsByProject
      .all(String(project.id))
      .filter(
        (each) =>
          (name === undefined || each.name === name) &&
          (search === undefined || each.name.toLowerCase().includes(search)) &&
          (state === undefined || each.state === state),
      );
    response.json(paginate(context, request, response, all).map(environmentJson));
  });

  routes.post(base, async (request, response) => {
    const { project } = findProjectToChange(context, request, "developer");
    const parameters = Parameters.of(request);
    const name = checkedName(parameters.requiredFilled("name"));
    if (environmentByName(context, project.id, name)) throw badRequest({ name: ["has already been taken"] });
    if (store.environmentsByProject.all(String(project.id)).length >= maxEnvironments) {
      throw badRequest({ base: [`Maximum number of environments (${maxEnvironments}) exceeded`] });
    }
    const made = await ensureEnvironment(context, project.id, {
      name,
      tier: parameters.choice("tier", tiers) ?? null,
      externalUrl: checkedUrl(parameters.filled("external_url")),
      description: parameters.filled("description") ?? null,
    });
    response.status(201).json(environmentDetailJson(context, made));
  });

  routes.get(`${base}/:environment`, (request, response) => {
    const project = findProject(context, request, "code");
    response.json(environmentDetailJson(context, environmentOf(context, request, project)));
  });

  routes.put(`${base}/:environment`, async (request, response) => {
    const { project } = findProjectToChange(context, request, "developer");
    const environment = environmentOf(context, request, project);
    const parameters = Parameters.of(request);
    const changed = await store.environments.update(environment.id, {
      ...(parameters.has("external_url") && { externalUrl: checkedUrl(parameters.filled("external_url")) }),
      ...(parameters.has("description") && { description: parameters.filled("description") ?? null }),
      tier: parameters.choice("tier", tiers) ?? environment.tier,
      updatedAt: context.clock().toISOString(),
    });
    response.json(environmentDetailJson(context, changed));
  });

  routes.post(`${base}/:environment/stop`, async (request, response) => {
    const { project, user } = findProjectToChange(context, request, "developer");
    const environment = environmentOf(context, request, project);
    const force = Parameters.of(request).boolean("force") ?? false;
    response.json(
      environmentDetailJson(context, await stopEnvironment(context, environment, user, { force })),
    );
  });

  routes.delete(`${base}/:environment`, async (request, response) => {
    const { project } = findProjectToChange(context, request, "developer");
    const environment = environmentOf(context, request, project);
    if (environment.state !== "stopped") throw forbidden();
    for (const { id } of store.deploymentsByEnvironment.all(String(environment.id))) {
      await store.deployments.remove(id);
    }
    await store.environments.remove(environment.id);
    response.status(204).end();
  });

  return routes;
}

function environmentOf({ ci }: ForgeContext, request: Request, project: ProjectRecord): EnvironmentRecord {
  const environment = ci.store.environments.get(pathId(request, "environment"));
  if (environment?.projectId !== project.id) throw notFound("Environment");
  return environment;
}

/** 400 in GitLab's words. */
export function checkedName(name: string): string {
  if (name.length > 255) throw badRequest({ name: ["is too long (maximum is 255 characters)"] });
  if (!/^[\w$ {}./-]+$/.test(name) || name.startsWith("/") || name.endsWith("/")) {
    throw badRequest({
      name: [
        "can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', and spaces, but it cannot start or end with '/'",
      ],
    });
  }
  return name;
}

function checkedUrl(url: string | undefined): string | null {
  if (url === undefined) return null;
  if (url.length > 255 || !/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw badRequest({ external_url: ["is blocked: Only allowed schemes are http, https"] });
  }
  return url;
}
