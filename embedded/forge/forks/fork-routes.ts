import { Router } from "express";
import { callerOf, requireCaller } from "../access/caller.ts";
import { canSeeProject } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { isBranchName } from "../git/ref-name.ts";
import { branchHead } from "../git/refs.ts";
import { badParameter, notFound } from "../http/api-error.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters } from "../http/parameters.ts";
import { findProject, findProjectToChange } from "../projects/find-project.ts";
import { listProjects } from "../projects/list-projects.ts";
import { projectJson } from "../projects/project-json.ts";
import { forkProject } from "./fork-project.ts";

/** `/projects/:id/fork` and `/projects/:id/forks`. */
export function forkRoutes(context: ForgeContext): Router {
  const { store, clock, repositories } = context;
  const routes = Router({ caseSensitive: true });

  routes.post("/projects/:id/fork", async (request, response) => {
    const { user } = requireCaller(request);
    const source = findProject(context, request, "code");
    const parameters = Parameters.of(request);
    const namespace =
      parameters.filled("namespace_id") ??
      parameters.filled("namespace_path") ??
      parameters.filled("namespace");
    const branch = parameters.filled("branches");
    if (branch !== undefined && !isBranchName(branch)) throw badParameter("branches is invalid");
    if (branch !== undefined && (await branchHead(repositories.path(source.id), branch)) === undefined) {
      throw notFound("Branch");
    }
    const path = parameters.filled("path");
    const name = parameters.filled("name");
    const description = parameters.text("description");
    const visibility = parameters.choice("visibility", ["private", "internal", "public"]);
    const fork = await forkProject(context, source, user, {
      ...(namespace !== undefined && { namespace }),
      ...(branch !== undefined && { branch }),
      ...(path !== undefined && { path }),
      ...(name !== undefined && { name }),
      ...(description !== undefined && { description }),
      ...(visibility && { visibility }),
    });
    response.status(201).json({ ...projectJson(context, fork, user), import_status: "finished" });
  });

  routes.get("/projects/:id/forks", (request, response) => {
    const project = findProject(context, request, "see");
    const user = callerOf(request)?.user;
    const forks = store.forksByProject
      .all(String(project.id))
      .filter((each) => canSeeProject(store, user, each, clock()));
    const page = paginate(context, request, response, listProjects(forks, Parameters.of(request)));
    response.json(page.map((each) => projectJson(context, each, user)));
  });

  // From then on it is a project like any other.
  routes.delete("/projects/:id/fork", async (request, response) => {
    const { project } = findProjectToChange(context, request, "owner");
    if (project.forkedFromId == null) {
      response.status(304).end();
      return;
    }
    await store.projects.update(project.id, { forkedFromId: null });
    response.status(204).end();
  });

  return routes;
}
