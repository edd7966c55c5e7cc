import type { ForgeContext } from "../forge-context.ts";
import { deleteProject } from "../projects/delete-project.ts";
import type { NamespaceRecord } from "../store/records.ts";
import { announceGroup } from "../system-hooks/announce-group.ts";

/** Removes a group with everything in it: its subgroups, projects and memberships. */
export async function deleteGroup(context: ForgeContext, group: NamespaceRecord): Promise<void> {
  const { store } = context;
  const children = store.namespaces.all().filter((each) => each.parentId === group.id);
  for (const child of children) await deleteGroup(context, child);
  for (const project of store.projectsByNamespace.all(String(group.id)))
    await deleteProject(context, project);
  for (const member of store.membersBySource.all(`group:${group.id}`)) await store.members.remove(member.id);
  for (const token of store.deployTokensBySource.all(`group:${group.id}`)) {
    await store.deployTokens.remove(token.id);
  }
  for (const variable of store.variablesBySource.all(`group:${group.id}`)) {
    await store.variables.remove(variable.id);
  }
  await store.namespaces.remove(group.id);
  announceGroup(context, "destroy", group);
}
