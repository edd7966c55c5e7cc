import { accessLevels } from "../access/access-level.ts";
import type { ForgeContext } from "../forge-context.ts";
import { badRequest } from "../http/api-error.ts";
import type { NamespaceRecord, Visibility } from "../store/records.ts";
import { announceGroup } from "../system-hooks/announce-group.ts";
import { announceMember } from "../system-hooks/announce-member.ts";
import { pathProblem, rootPathProblem } from "./namespace-path.ts";

export interface NewGroup {
  path: string;
  name: string;
  description?: string;
  parent?: NamespaceRecord;
  visibility?: Visibility;
  /** Becomes the Owner. */
  creatorId: number;
}

/** Throws `ApiError` 400 in GitLab's words. */
export async function createGroup(context: ForgeContext, wanted: NewGroup): Promise<NamespaceRecord> {
  const { store, clock } = context;
  const { parent } = wanted;
  const problem = parent ? pathProblem(wanted.path) : rootPathProblem(wanted.path);
  if (problem) throw badRequest({ path: [problem] });
  const fullPath = parent ? `${parent.fullPath}/${wanted.path}` : wanted.path;
  const key = fullPath.toLowerCase();
  if (store.namespacesByPath.first(key) || store.projectsByPath.first(key)) {
    throw badRequest('Failed to save group {:path=>["has already been taken"]}');
  }
  const createdAt = clock().toISOString();
  const group = await store.namespaces.insert((id) => ({
    id,
    kind: "group",
    path: wanted.path,
    fullPath,
    name: wanted.name,
    description: wanted.description ?? "",
    parentId: parent?.id ?? null,
    ownerId: null,
    visibility: wanted.visibility ?? "private",
    createdAt,
  }));
  announceGroup(context, "create", group);
  const owner = await store.members.insert((id) => ({
    id,
    source: "group",
    sourceId: group.id,
    userId: wanted.creatorId,
    accessLevel: accessLevels.owner,
    createdAt,
    createdById: wanted.creatorId,
    expiresOn: null,
  }));
  announceMember(context, "add", owner);
  return group;
}
