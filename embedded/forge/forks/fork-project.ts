import { accessLevels } from "../access/access-level.ts";
import { groupLevel } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { ApiError, notFound } from "../http/api-error.ts";
import { linkLfsObjects } from "../lfs/link-lfs-objects.ts";
import { createProject } from "../projects/create-project.ts";
import { deleteProject } from "../projects/delete-project.ts";
import type { ProjectRecord, UserRecord, Visibility } from "../store/records.ts";

const fetchDeadlineMs = 10 * 60_000;
const openness: Readonly<Record<Visibility, number>> = { private: 0, internal: 10, public: 20 };

export interface NewFork {
  /** Number or full path; the user's own where nothing is said. */
  namespace?: string;
  path?: string;
  name?: string;
  description?: string;
  visibility?: Visibility;
  /** This branch only. */
  branch?: string;
}

/**
 * Copies a project that the user can read into a namespace where they may make projects: branches, tags and large files, no
 * members, hooks or merge requests. It is never more open than its source. Throws `ApiError` 404 or 409.
 */
export async function forkProject(
  context: ForgeContext,
  source: ProjectRecord,
  user: UserRecord,
  wanted: NewFork,
): Promise<ProjectRecord> {
  const { store, clock, git, repositories } = context;
  const named = wanted.namespace ?? String(user.namespaceId);
  const namespace = /^\d+$/.test(named)
    ? store.namespaces.get(Number(named))
    : store.namespacesByPath.first(named.toLowerCase());
  const mayCreate = namespace && groupLevel(store, user, namespace.id, clock()) >= accessLevels.developer;
  if (!namespace || !mayCreate || user.botOfProject !== undefined) throw notFound("Target Namespace");
  const path = wanted.path ?? source.path;
  const key = `${namespace.fullPath}/${path}`.toLowerCase();
  if (store.projectsByPath.first(key) || store.namespacesByPath.first(key)) {
    throw new ApiError(409, {
      message: [
        "Project namespace name has already been taken",
        "Name has already been taken",
        "Path has already been taken",
      ],
    });
  }
  const visibility = wanted.visibility ?? source.visibility;
  const made = await createProject(context, {
    namespace,
    path,
    name: wanted.name ?? source.name,
    description: wanted.description ?? source.description ?? "",
    visibility: openness[visibility] <= openness[source.visibility] ? visibility : source.visibility,
    defaultBranch: wanted.branch ?? source.defaultBranch,
    topics: source.topics,
    creatorId: user.id,
  });
  try {
    const [from, to] = [repositories.path(source.id), repositories.path(made.id)];
    const heads = wanted.branch ? `refs/heads/${wanted.branch}` : "refs/heads/*";
    const args = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", from];
    const refs = [`${heads}:${heads}`, "refs/tags/*:refs/tags/*"];
    await git.text(to, [...args, ...refs], { deadlineMs: fetchDeadlineMs });
    await linkLfsObjects(from, to);
    return await store.projects.update(made.id, {
      forkedFromId: source.id,
      empty: source.empty,
      mergeMethod: source.mergeMethod,
      squashOption: source.squashOption,
      ciConfigPath: source.ciConfigPath,
    });
  } catch (error) {
    await deleteProject(context, made);
    throw error;
  }
}
