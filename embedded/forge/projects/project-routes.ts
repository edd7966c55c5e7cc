import { type Request, Router } from "express";
import { accessLevels } from "../access/access-level.ts";
import { callerOf, requireCaller } from "../access/caller.ts";
import { canSeeProject, groupLevel, projectMemberLevel } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { isBranchName } from "../git/ref-name.ts";
import { badParameter, badRequest, notFound } from "../http/api-error.ts";
import { asksForKeyset, type KeysetOrder, keysetPage } from "../http/keyset.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters } from "../http/parameters.ts";
import { commitFiles } from "../repository/commit-files.ts";
import type { NamespaceRecord, ProjectRecord, UserRecord } from "../store/records.ts";
import { changeProject } from "./change-project.ts";
import { createProject } from "./create-project.ts";
import { deleteProject } from "./delete-project.ts";
import { findProject, findProjectToChange } from "./find-project.ts";
import { listProjects } from "./list-projects.ts";
import { projectJson, projectSimpleJson } from "./project-json.ts";
import { transferProject } from "./transfer-project.ts";

const byId: KeysetOrder<ProjectRecord> = {
  orders: ["id"],
  order: "created_at",
  direction: "desc",
  keyOf: (project) => [project.id],
  marker: "id",
};
const visibilities = ["private", "internal", "public"] as const;

/** `/projects` and `/users/:id/projects`. */
export function projectRoutes(context: ForgeContext): Router {
  const { store, clock } = context;
  const routes = Router();

  routes.get("/projects", (request, response) => {
    const user = callerOf(request)?.user;
    const parameters = Parameters.of(request);
    const membership = parameters.boolean("membership") ?? false;
    const owned = parameters.boolean("owned") ?? false;
    const minimum = owned ? accessLevels.owner : (parameters.integer("min_access_level") ?? 0);
    const now = clock();
    const visible = store.projects.all().filter((project) => {
      if (!canSeeProject(store, user, project, now)) return false;
      if (!membership && minimum === 0) return true;
      const level = user ? projectMemberLevel(store, user, project, now) : 0;
      return level >= Math.max(minimum, accessLevels.guest);
    });
    const found = listProjects(visible, parameters);
    const page = asksForKeyset(request)
      ? keysetPage(context, request, response, found, byId)
      : paginate(context, request, response, found);
    const simple = (parameters.boolean("simple") ?? false) || !user;
    response.json(
      page.map((each) => (simple ? projectSimpleJson(context, each) : projectJson(context, each, user))),
    );
  });

  routes.get("/users/:user_id/projects", (request, response) => {
    const user = callerOf(request)?.user;
    const wanted = String(request.params["user_id"]);
    const owner = store.users.get(Number(wanted)) ?? store.usersByName.first(wanted.toLowerCase());
    if (!owner) throw notFound("User");
    const visible = store.projectsByNamespace
      .all(String(owner.namespaceId))
      .filter((project) => canSeeProject(store, user, project, clock()));
    const page = paginate(context, request, response, listProjects(visible, Parameters.of(request)));
    response.json(page.map((each) => projectJson(context, each, user)));
  });

  routes.post("/projects", async (request, response) => {
    const { user } = requireCaller(request);
    const parameters = Parameters.of(request);
    const name = parameters.filled("name") ?? parameters.filled("path");
    if (name === undefined)
      throw badParameter("name, path are missing, at least one parameter must be provided");
    const namespace = namespaceFor(context, user, parameters.integer("namespace_id"));
    const visibility = parameters.choice("visibility", visibilities);
    const description = parameters.text("description");
    const defaultBranch = parameters.filled("default_branch");
    if (defaultBranch !== undefined && !isBranchName(defaultBranch))
      throw badParameter("default_branch is invalid");
    const topics = parameters.texts("topics");
    const project = await createProject(context, {
      namespace,
      name,
      path: parameters.filled("path") ?? pathFromName(name),
      creatorId: user.id,
      ...(visibility && { visibility }),
      ...(description !== undefined && { description }),
      ...(defaultBranch !== undefined && { defaultBranch }),
      ...(topics && { topics }),
    });
    if (parameters.boolean("initialize_with_readme")) {
      await commitFiles(context, project, user, {
        branch: project.defaultBranch,
        message: "Initial commit",
        actions: [{ action: "create", path: "README.md", content: Buffer.from(`# ${name}\n`) }],
      });
    }
    response.status(201).json(projectJson(context, store.projects.get(project.id) ?? project, user));
  });

  routes.get("/projects/:id", (request, response) => {
    const project = findProject(context, request, "see");
    const user = callerOf(request)?.user;
    response.json(user ? projectJson(context, project, user) : projectSimpleJson(context, project));
  });

  routes.put("/projects/:id", async (request, response) => {
    const parameters = Parameters.of(request);
    const project = findProject(context, request, "maintainer");
    const changed = await changeProject(context, project, parameters);
    response.json(projectJson(context, changed, callerOf(request)?.user));
  });

  routes.delete("/projects/:id", async (request, response) => {
    await deleteProject(context, findProject(context, request, "owner"));
    response.status(202).json({ message: "202 Accepted" });
  });

  routes.put("/projects/:id/transfer", async (request, response) => {
    const { project, user } = findProjectToChange(context, request, "owner");
    const wanted = Parameters.of(request).requiredFilled("namespace");
    response.json(projectJson(context, await transferProject(context, project, user, wanted), user));
  });

  for (const [action, archived] of [
    ["archive", true],
    ["unarchive", false],
  ] as const) {
    routes.post(`/projects/:id/${action}`, async (request, response) => {
      const project = await setArchived(context, request, archived);
      response.status(201).json(projectJson(context, project, callerOf(request)?.user));
    });
  }

  return routes;
}

function setArchived(context: ForgeContext, request: Request, archived: boolean): Promise<ProjectRecord> {
  const project = findProject(context, request, "owner");
  return context.store.projects.update(project.id, { archived });
}

/** The user's own namespace, or a group they may make projects in. */
function namespaceFor(context: ForgeContext, user: UserRecord, id: number | undefined): NamespaceRecord {
  const { store, clock } = context;
  const namespace = store.namespaces.get(id ?? user.namespaceId);
  if (user.botOfProject !== undefined) throw badRequest({ limit_reached: [] }); // a token makes no projects
  const allowed = namespace && groupLevel(store, user, namespace.id, clock()) >= accessLevels.developer;
  if (!namespace || !allowed) throw badRequest({ namespace: ["is not valid"] });
  return namespace;
}

function pathFromName(name: string): string {
  const path = name
    .normalize("NFKD")
    .replace(/[^A-Za-z0-9_.]+/g, "-")
    .replace(/^[-.]+|[-.]+$/g, "");
  return path.toLowerCase() || "project";
}
