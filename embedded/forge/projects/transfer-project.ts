import { accessLevels } from "../access/access-level.ts";
import { groupLevel } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { badRequest, forbidden, notFound } from "../http/api-error.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";
import { announceProject } from "../system-hooks/announce-project.ts";

/** Moves a project into another namespace, named by number or path, in which the user may make projects. */
export async function transferProject(
  context: ForgeContext,
  project: ProjectRecord,
  user: UserRecord,
  wanted: string,
): Promise<ProjectRecord> {
  const { store, clock } = context;
  const target = /^\d+$/.test(wanted)
    ? store.namespaces.get(Number(wanted))
    : store.namespacesByPath.first(wanted.toLowerCase());
  if (!target || groupLevel(store, user, target.id, clock()) === 0) throw notFound("Namespace");
  if (groupLevel(store, user, target.id, clock()) < accessLevels.maintainer) throw forbidden();
  if (target.id === project.namespaceId) {
    throw badRequest("Failed to transfer project: Project is already in this namespace.");
  }
  const fullPath = `${target.fullPath}/${project.path}`;
  const key = fullPath.toLowerCase();
  if (store.projectsByPath.first(key) || store.namespacesByPath.first(key)) {
    throw badRequest(
      "Failed to transfer project: Project with same name or path in target namespace already exists",
    );
  }
  const moved = await store.projects.update(project.id, {
    namespaceId: target.id,
    fullPath,
    updatedAt: clock().toISOString(),
  });
  announceProject(context, "transfer", moved, project.fullPath);
  return moved;
}
