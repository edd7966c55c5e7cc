import type { ForgeContext } from "../forge-context.ts";
import { badRequest } from "../http/api-error.ts";
import type { NamespaceRecord } from "../store/records.ts";
import { announceGroup } from "../system-hooks/announce-group.ts";
import { pathProblem, rootPathProblem } from "./namespace-path.ts";
import { renameNamespace } from "./rename-namespace.ts";

/** Gives a group another path; subgroups and projects move along. Throws `ApiError` 400 in GitLab's words. */
export async function renameGroup(
  context: ForgeContext,
  group: NamespaceRecord,
  path: string,
): Promise<void> {
  const { store } = context;
  const problem = group.parentId === null ? rootPathProblem(path) : pathProblem(path);
  if (problem) throw badRequest({ path: [problem] });
  const key = (group.fullPath.slice(0, -group.path.length) + path).toLowerCase();
  const holder = store.namespacesByPath.first(key);
  if ((holder && holder.id !== group.id) || store.projectsByPath.first(key)) {
    throw badRequest({ path: ["has already been taken"] });
  }
  announceGroup(context, "rename", await renameNamespace(context, group, path), group);
}
