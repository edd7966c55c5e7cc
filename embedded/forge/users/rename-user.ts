import type { ForgeContext } from "../forge-context.ts";
import { rootPathProblem } from "../groups/namespace-path.ts";
import { renameNamespace } from "../groups/rename-namespace.ts";
import { ApiError, badRequest } from "../http/api-error.ts";
import type { UserRecord } from "../store/records.ts";
import { announceUser } from "../system-hooks/announce-user.ts";

/** Gives a user another user name; their namespace and the projects in it move along. */
export async function renameUser(context: ForgeContext, user: UserRecord, username: string): Promise<void> {
  const { store } = context;
  const problem = rootPathProblem(username);
  if (problem) throw badRequest({ username: [problem] });
  const holder = store.namespacesByPath.first(username.toLowerCase());
  if (holder && holder.id !== user.namespaceId) {
    throw new ApiError(409, { message: "Username has already been taken" });
  }
  const namespace = store.namespaces.get(user.namespaceId);
  const renaming = store.users.update(user.id, { username });
  if (namespace) await renameNamespace(context, namespace, username);
  announceUser(context, "rename", await renaming, user.username);
}
