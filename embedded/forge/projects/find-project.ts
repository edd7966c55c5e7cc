import type { Request } from "express";
import { accessLevels } from "../access/access-level.ts";
import { callerOf } from "../access/caller.ts";
import { canReadCode, canSeeProject, projectLevel } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { forbidden, notFound, unauthorized } from "../http/api-error.ts";
import { pathParameter } from "../http/parameters.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";

/** What a route needs: to see the project, to read its code, or a level. */
export type Need = "see" | "code" | keyof typeof accessLevels;

/** The project that `:id` names by number or full path: 404 when it cannot be seen, 403 when that is not enough. */
export function findProject(context: ForgeContext, request: Request, need: Need): ProjectRecord {
  const { store, clock } = context;
  const project = projectByIdOrPath(store, pathParameter(request, "id"));
  const user = callerOf(request)?.user;
  const now = clock();
  if (!project || !canSeeProject(store, user, project, now)) throw notFound("Project");
  if (need === "see") return project;
  if (need === "code") {
    if (!canReadCode(store, user, project, now)) throw forbidden();
    return project;
  }
  if (!user) throw unauthorized();
  if (projectLevel(store, user, project, now) < accessLevels[need]) throw forbidden();
  return project;
}

/** As `findProject`, for changes: a caller is there, and the project is not archived. */
export function findProjectToChange(
  context: ForgeContext,
  request: Request,
  need: keyof typeof accessLevels,
): { project: ProjectRecord; user: UserRecord } {
  const project = findProject(context, request, need);
  const user = callerOf(request)?.user;
  if (!user) throw unauthorized();
  if (project.archived) throw forbidden("The project is archived");
  return { project, user };
}

export function projectByIdOrPath(store: Store, id: string): ProjectRecord | undefined {
  return /^\d+$/.test(id) ? store.projects.get(Number(id)) : store.projectsByPath.first(id.toLowerCase());
}
