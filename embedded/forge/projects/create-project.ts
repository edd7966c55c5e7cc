import { accessLevels } from "../access/access-level.ts";
import type { ForgeContext } from "../forge-context.ts";
import { pathProblem } from "../groups/namespace-path.ts";
import { badRequest } from "../http/api-error.ts";
import type { NamespaceRecord, ProjectRecord, Visibility } from "../store/records.ts";
import { announceProject } from "../system-hooks/announce-project.ts";

export interface NewProject {
  namespace: NamespaceRecord;
  path: string;
  name: string;
  description?: string;
  visibility?: Visibility;
  defaultBranch?: string;
  topics?: string[];
  creatorId: number;
}

/** Makes a project with an empty repository; private unless asked otherwise. Throws `ApiError` 400 as GitLab does. */
export async function createProject(context: ForgeContext, wanted: NewProject): Promise<ProjectRecord> {
  const { store, clock, repositories } = context;
  const problem = pathProblem(wanted.path);
  if (problem) throw badRequest({ path: [problem] });
  const fullPath = `${wanted.namespace.fullPath}/${wanted.path}`;
  const key = fullPath.toLowerCase();
  if (store.projectsByPath.first(key) || store.namespacesByPath.first(key)) {
    const message = ["has already been taken"];
    throw badRequest({ name: message, path: message });
  }
  const createdAt = clock().toISOString();
  const defaultBranch = wanted.defaultBranch ?? "main";
  const project = await store.projects.insert((id) => ({
    id,
    namespaceId: wanted.namespace.id,
    path: wanted.path,
    fullPath,
    name: wanted.name,
    description: wanted.description ?? null,
    defaultBranch,
    empty: true,
    visibility: wanted.visibility ?? "private",
    archived: false,
    topics: wanted.topics ?? [],
    creatorId: wanted.creatorId,
    createdAt,
    updatedAt: createdAt,
    lastActivityAt: createdAt,
    protectedBranches: [
      {
        id: 1,
        name: defaultBranch,
        pushLevel: accessLevels.developer,
        mergeLevel: accessLevels.developer,
        allowForcePush: false,
      },
    ],
    mergeMethod: "merge",
    squashOption: "default_off",
    onlyAllowMergeIfPipelineSucceeds: false,
    ciConfigPath: null,
  }));
  try {
    await repositories.create(project.id, defaultBranch);
  } catch (error) {
    await store.projects.remove(project.id);
    throw error;
  }
  announceProject(context, "create", project);
  return project;
}
