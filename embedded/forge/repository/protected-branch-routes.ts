import { type Request, Router } from "express";
import type { ForgeContext } from "../forge-context.ts";
import { isBranchName } from "../git/ref-name.ts";
import { ApiError, badParameter, notFound } from "../http/api-error.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters, pathParameter } from "../http/parameters.ts";
import { findProject } from "../projects/find-project.ts";
import type { ProjectRecord, ProtectedBranch } from "../store/records.ts";

const levelNames: Readonly<Record<number, string>> = {
  0: "No one",
  30: "Developers + Maintainers",
  40: "Maintainers",
  60: "Administrators",
};

/** `/projects/:id/protected_branches`, for Maintainers: one push and one merge level each. */
export function protectedBranchRoutes(context: ForgeContext): Router {
  const routes = Router({ caseSensitive: true });
  const base = "/projects/:id/protected_branches";

  routes.get(base, (request, response) => {
    const project = findProject(context, request, "developer");
    const page = paginate(context, request, response, project.protectedBranches);
    response.json(page.map(protectedBranchJson));
  });

  routes.get(`${base}/:name`, (request, response) => {
    response.json(protectedBranchJson(findRule(findProject(context, request, "developer"), request)));
  });

  routes.post(base, async (request, response) => {
    const project = findProject(context, request, "maintainer");
    const parameters = Parameters.of(request);
    const name = parameters.requiredFilled("name");
    if (!isBranchName(name.replaceAll("*", "x"))) throw badParameter("name is invalid");
    if (project.protectedBranches.some((rule) => rule.name === name)) {
      throw new ApiError(409, { message: `Protected branch '${name}' already exists` });
    }
    const rule: ProtectedBranch = {
      id: Math.max(0, ...project.protectedBranches.map((each) => each.id)) + 1,
      name,
      pushLevel: level(parameters, "push_access_level") ?? 40,
      mergeLevel: level(parameters, "merge_access_level") ?? 40,
      allowForcePush: parameters.boolean("allow_force_push") ?? false,
    };
    const protectedBranches = [...project.protectedBranches, rule];
    await context.store.projects.update(project.id, { protectedBranches });
    response.status(201).json(protectedBranchJson(rule));
  });

  routes.patch(`${base}/:name`, async (request, response) => {
    const project = findProject(context, request, "maintainer");
    const rule = findRule(project, request);
    const allowForcePush = Parameters.of(request).boolean("allow_force_push") ?? rule.allowForcePush;
    const changed = { ...rule, allowForcePush };
    const protectedBranches = project.protectedBranches.map((each) => (each === rule ? changed : each));
    await context.store.projects.update(project.id, { protectedBranches });
    response.json(protectedBranchJson(changed));
  });

  routes.delete(`${base}/:name`, async (request, response) => {
    const project = findProject(context, request, "maintainer");
    const rule = findRule(project, request);
    const protectedBranches = project.protectedBranches.filter((each) => each !== rule);
    await context.store.projects.update(project.id, { protectedBranches });
    response.status(204).end();
  });

  return routes;
}

function findRule(project: ProjectRecord, request: Request): ProtectedBranch {
  const name = pathParameter(request, "name");
  const rule = project.protectedBranches.find((each) => each.name === name);
  if (!rule) throw notFound();
  return rule;
}

/** 0 stands for nobody, which no level reaches. */
function level(parameters: Parameters, name: string): number | undefined {
  const value = parameters.integer(name);
  if (value === undefined) return undefined;
  if (levelNames[value] === undefined) throw badParameter(`${name} does not have a valid value`);
  return value === 0 ? Number.MAX_SAFE_INTEGER : value;
}

function protectedBranchJson(rule: ProtectedBranch) {
  return {
    id: rule.id,
    name: rule.name,
    push_access_levels: [levelJson(rule.id, rule.pushLevel)],
    merge_access_levels: [levelJson(rule.id, rule.mergeLevel)],
    allow_force_push: rule.allowForcePush,
  };
}

function levelJson(id: number, stored: number) {
  const accessLevel = stored === Number.MAX_SAFE_INTEGER ? 0 : stored;
  return { id, access_level: accessLevel, access_level_description: levelNames[accessLevel] ?? "" };
}
