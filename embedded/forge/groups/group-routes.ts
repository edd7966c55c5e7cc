import { Router } from "express";
import { accessLevels } from "../access/access-level.ts";
import { callerOf, requireCaller } from "../access/caller.ts";
import { canSeeGroup, canSeeProject, groupLevel, groupMemberLevel, projectLevel } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { forbidden, notFound } from "../http/api-error.ts";
import { asksForKeyset, type KeysetOrder, keysetPage } from "../http/keyset.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters, pathParameter } from "../http/parameters.ts";
import { listProjects } from "../projects/list-projects.ts";
import { projectJson, projectSimpleJson } from "../projects/project-json.ts";
import type { NamespaceRecord } from "../store/records.ts";
import { createGroup } from "./create-group.ts";
import { deleteGroup } from "./delete-group.ts";
import { findGroup } from "./find-group.ts";
import { groupJson, namespaceJson } from "./group-json.ts";
import { renameGroup } from "./rename-group.ts";

const byNameAndId: KeysetOrder<NamespaceRecord> = {
  orders: ["name"],
  order: "name",
  direction: "asc",
  keyOf: (group) => [group.name, group.id],
  marker: "cursor",
};
const visibilities = ["private", "internal", "public"] as const;

/** `/groups` and `/namespaces`. */
export function groupRoutes(context: ForgeContext): Router {
  const { store, clock } = context;
  const routes = Router();
  const groups = () => store.namespaces.all().filter((each) => each.kind === "group");

  routes.get("/groups", (request, response) => {
    const user = callerOf(request)?.user;
    const parameters = Parameters.of(request);
    const search = parameters.filled("search")?.toLowerCase();
    const minimum = parameters.boolean("owned") ? accessLevels.owner : parameters.integer("min_access_level");
    const topLevel = parameters.boolean("top_level_only") ?? false;
    const now = clock();
    const found = groups().filter(
      (group) =>
        canSeeGroup(store, user, group, now) &&
        (search === undefined || matches(group, search)) &&
        (!topLevel || group.parentId === null) &&
        (minimum === undefined || (user && groupMemberLevel(store, user, group.id, now) >= minimum)),
    );
    const page = asksForKeyset(request)
      ? keysetPage(context, request, response, found, byNameAndId)
      : paginate(context, request, response, found.sort(byName));
    response.json(page.map((group) => groupJson(context, group)));
  });

  routes.post("/groups", async (request, response) => {
    const { user } = requireCaller(request);
    if (user.botOfProject !== undefined) throw forbidden(); // a project's token makes no groups
    const parameters = Parameters.of(request);
    const name = parameters.requiredFilled("name");
    const path = parameters.requiredFilled("path");
    const visibility = parameters.choice("visibility", visibilities);
    const description = parameters.text("description");
    const parentId = parameters.integer("parent_id");
    const parent = parentId === undefined ? undefined : store.namespaces.get(parentId);
    if (parentId !== undefined) {
      if (parent?.kind !== "group" || !canSeeGroup(store, user, parent, clock())) throw notFound("Group");
      if (groupLevel(store, user, parent.id, clock()) < accessLevels.maintainer) throw forbidden();
    }
    const group = await createGroup(context, {
      name,
      path,
      creatorId: user.id,
      ...(parent && { parent }),
      ...(visibility && { visibility }),
      ...(description !== undefined && { description }),
    });
    response.status(201).json(groupJson(context, group));
  });

  routes.get("/groups/:id", (request, response) => {
    response.json(groupJson(context, findGroup(context, request)));
  });

  routes.put("/groups/:id", async (request, response) => {
    const parameters = Parameters.of(request);
    const name = parameters.filled("name");
    const description = parameters.text("description");
    const visibility = parameters.choice("visibility", visibilities);
    const path = parameters.filled("path");
    const group = findGroup(context, request, accessLevels.owner);
    if (path !== undefined && path !== group.path) await renameGroup(context, group, path);
    const changed = await store.namespaces.update(group.id, {
      ...(name !== undefined && { name }),
      ...(description !== undefined && { description }),
      ...(visibility !== undefined && { visibility }),
    });
    response.json(groupJson(context, changed));
  });

  routes.delete("/groups/:id", async (request, response) => {
    requireCaller(request);
    const group = findGroup(context, request, accessLevels.owner);
    await deleteGroup(context, group);
    response.status(202).json({ message: "202 Accepted" });
  });

  routes.get("/groups/:id/subgroups", (request, response) => {
    const group = findGroup(context, request);
    const user = callerOf(request)?.user;
    const found = groups().filter(
      (each) => each.parentId === group.id && canSeeGroup(store, user, each, clock()),
    );
    const page = paginate(context, request, response, found.sort(byName));
    response.json(page.map((each) => groupJson(context, each)));
  });

  routes.get("/groups/:id/descendant_groups", (request, response) => {
    const group = findGroup(context, request);
    const user = callerOf(request)?.user;
    const found = groups().filter((each) => isBelow(each, group) && canSeeGroup(store, user, each, clock()));
    const page = paginate(context, request, response, found.sort(byName));
    response.json(page.map((each) => groupJson(context, each)));
  });

  routes.get("/groups/:id/projects", (request, response) => {
    const group = findGroup(context, request);
    const user = callerOf(request)?.user;
    const parameters = Parameters.of(request);
    const deep = parameters.boolean("include_subgroups") ?? false;
    const namespaces = deep ? [group, ...groups().filter((each) => isBelow(each, group))] : [group];
    const now = clock();
    const minimum = parameters.integer("min_access_level") ?? 0;
    const found = namespaces
      .flatMap((each) => store.projectsByNamespace.all(String(each.id)))
      .filter(
        (project) =>
          canSeeProject(store, user, project, now) &&
          (minimum === 0 || projectLevel(store, user, project, now) >= minimum),
      );
    const page = paginate(context, request, response, listProjects(found, parameters));
    const simple = parameters.boolean("simple") ?? false;
    response.json(
      page.map((project) =>
        simple ? projectSimpleJson(context, project) : projectJson(context, project, user),
      ),
    );
  });

  routes.get("/namespaces", (request, response) => {
    const { user } = requireCaller(request);
    const search = Parameters.of(request).filled("search")?.toLowerCase();
    const now = clock();
    const found = store.namespaces
      .all()
      .filter(
        (each) =>
          (each.ownerId === user.id || groupLevel(store, user, each.id, now) >= accessLevels.guest) &&
          (search === undefined || matches(each, search)),
      );
    const page = paginate(context, request, response, found);
    response.json(page.map((each) => namespaceJson(context, each)));
  });

  routes.get("/namespaces/:id", (request, response) => {
    const { user } = requireCaller(request);
    const id = pathParameter(request, "id");
    const found = /^\d+$/.test(id)
      ? store.namespaces.get(Number(id))
      : store.namespacesByPath.first(id.toLowerCase());
    const visible =
      found &&
      (found.kind === "user"
        ? found.ownerId === user.id || user.isAdmin
        : canSeeGroup(store, user, found, clock()));
    if (!found || !visible) throw notFound("Namespace");
    response.json(namespaceJson(context, found));
  });

  return routes;
}

function matches(namespace: NamespaceRecord, search: string): boolean {
  return [namespace.name, namespace.fullPath].some((text) => text.toLowerCase().includes(search));
}

function isBelow(group: NamespaceRecord, ancestor: NamespaceRecord): boolean {
  return group.fullPath.toLowerCase().startsWith(`${ancestor.fullPath.toLowerCase()}/`);
}

function byName(a: NamespaceRecord, b: NamespaceRecord): number {
  return a.name.localeCompare(b.name) || a.id - b.id;
}
