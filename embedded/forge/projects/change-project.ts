import type { ForgeContext } from "../forge-context.ts";
import { branchHead } from "../git/refs.ts";
import { pathProblem } from "../groups/namespace-path.ts";
import { badParameter, badRequest } from "../http/api-error.ts";
import type { Parameters } from "../http/parameters.ts";
import type { ProjectRecord } from "../store/records.ts";
import { announceProject } from "../system-hooks/announce-project.ts";

const fields = [
  "name",
  "path",
  "description",
  "visibility",
  "default_branch",
  "topics",
  "merge_method",
  "squash_option",
  "only_allow_merge_if_pipeline_succeeds",
  "only_allow_merge_if_all_discussions_are_resolved",
  "ci_config_path",
];

/** Carries out `PUT /projects/:id`. */
export async function changeProject(
  context: ForgeContext,
  project: ProjectRecord,
  parameters: Parameters,
): Promise<ProjectRecord> {
  if (!parameters.hasAny(fields)) {
    throw badParameter(`${fields.join(", ")} are missing, at least one parameter must be provided`);
  }
  const { store, git, repositories, clock } = context;
  const change: { -readonly [K in keyof ProjectRecord]?: ProjectRecord[K] } = {
    updatedAt: clock().toISOString(),
  };
  const name = parameters.filled("name");
  if (name !== undefined) change.name = name;
  const description = parameters.text("description");
  if (description !== undefined) change.description = description;
  const visibility = parameters.choice("visibility", ["private", "internal", "public"]);
  if (visibility) change.visibility = visibility;
  const topics = parameters.texts("topics");
  if (topics) change.topics = topics;
  const mergeMethod = parameters.choice("merge_method", ["merge", "rebase_merge", "ff"]);
  if (mergeMethod) change.mergeMethod = mergeMethod;
  const squash = parameters.choice("squash_option", ["never", "always", "default_on", "default_off"]);
  if (squash) change.squashOption = squash;
  const mustSucceed = parameters.boolean("only_allow_merge_if_pipeline_succeeds");
  if (mustSucceed !== undefined) change.onlyAllowMergeIfPipelineSucceeds = mustSucceed;
  const mustResolve = parameters.boolean("only_allow_merge_if_all_discussions_are_resolved");
  if (mustResolve !== undefined) change.onlyAllowMergeIfDiscussionsResolved = mustResolve;
  if (parameters.has("ci_config_path")) change.ciConfigPath = parameters.filled("ci_config_path") ?? null;

  const branch = parameters.filled("default_branch");
  if (branch !== undefined && branch !== project.defaultBranch) {
    const gitDir = repositories.path(project.id);
    if ((await branchHead(gitDir, branch)) === undefined) {
      throw badRequest({ base: ["Could not set the default branch"] });
    }
    await git.text(gitDir, ["symbolic-ref", "HEAD", `refs/heads/${branch}`]);
    change.defaultBranch = branch;
  }

  const path = parameters.filled("path");
  if (path !== undefined && path !== project.path) {
    const problem = pathProblem(path);
    if (problem) throw badRequest({ path: [problem] });
    const fullPath = `${project.fullPath.slice(0, -project.path.length)}${path}`;
    const holder = store.projectsByPath.first(fullPath.toLowerCase());
    if ((holder && holder.id !== project.id) || store.namespacesByPath.first(fullPath.toLowerCase())) {
      throw badRequest({ path: ["has already been taken"] });
    }
    change.path = path;
    change.fullPath = fullPath;
  }
  const { id: _id, ...changes } = change;
  const changed = await store.projects.update(project.id, changes);
  if (changed.fullPath === project.fullPath) announceProject(context, "update", changed);
  else announceProject(context, "rename", changed, project.fullPath);
  return changed;
}
