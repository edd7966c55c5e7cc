import { accessLevels } from "../access/access-level.ts";
import type { ForgeContext } from "../forge-context.ts";
import { allMembers } from "../members/all-members.ts";
import type { ProjectRecord } from "../store/records.ts";
import { announce } from "./announce.ts";

/** `project_create`, `_update` and `_destroy`; `_rename` and `_transfer` come with the path before. */
export function announceProject(
  context: ForgeContext,
  event: "create" | "destroy" | "update" | "rename" | "transfer",
  project: ProjectRecord,
  oldFullPath?: string,
): void {
  const { store, clock } = context;
  if (store.systemHooks.all().length === 0) return;
  const namespace = store.namespaces.get(project.namespaceId);
  const owner = namespace?.ownerId == null ? undefined : store.users.get(namespace.ownerId);
  const source = { kind: "project" as const, id: project.id, namespaceId: project.namespaceId };
  const owners = allMembers(store, source, clock())
    .filter((member) => member.accessLevel === accessLevels.owner)
    .flatMap((member) => store.users.get(member.userId) ?? []);
  announce(context, `project_${event}`, project, {
    name: project.name,
    path: project.path,
    path_with_namespace: project.fullPath,
    project_id: project.id,
    project_namespace_id: project.namespaceId,
    owner_name: owner?.name ?? namespace?.name ?? "",
    owner_email: owner?.email ?? "",
    owners: owners.map((user) => ({ name: user.name, email: user.email })),
    project_visibility: project.visibility,
    ...(oldFullPath !== undefined && { old_path_with_namespace: oldFullPath }),
  });
}
