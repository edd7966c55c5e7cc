import type { ForgeContext } from "../forge-context.ts";
import { deleteProject } from "../projects/delete-project.ts";
import type { UserRecord } from "../store/records.ts";
import { announceUser } from "../system-hooks/announce-user.ts";

/** Removes a user with their tokens, memberships and personal projects. */
export async function deleteUser(context: ForgeContext, user: UserRecord): Promise<void> {
  const { store } = context;
  for (const token of store.tokensByUser.all(String(user.id))) await store.tokens.remove(token.id);
  await context.artifacts.removeOfUser(user.id);
  for (const member of store.membersByUser.all(String(user.id))) await store.members.remove(member.id);
  for (const project of store.projectsByNamespace.all(String(user.namespaceId))) {
    await deleteProject(context, project);
  }
  await store.users.remove(user.id);
  await store.namespaces.remove(user.namespaceId);
  announceUser(context, "destroy", user);
}
