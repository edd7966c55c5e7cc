import { ActionNeededError } from "#core/errors";
import type { FileChange, ForgeProject } from "../forge.ts";
import type { GitLabClient } from "./client.ts";
import { GitLabAnswer, undefinedWhenMissing } from "./errors.ts";
import { findProject } from "./projects.ts";

/** Replaces or makes one file in one commit; see `Forge.commitFile`. */
export async function commitFile(
  client: GitLabClient,
  project: ForgeProject,
  change: Omit<FileChange, "token">,
): Promise<{ commit: string }> {
  const branch = project.defaultBranch ?? (await findProject(client, project.path))?.defaultBranch;
  if (branch === undefined) {
    throw new ActionNeededError(
      "REPOSITORY_EMPTY",
      `${project.path} has no commit yet, or you may not see it`,
    );
  }
  const before = await fileAt(client, project, change.file, change.baseCommit);
  const { file: filePath, content, message } = change;
  // GitLab compares with the commit that touched the file last, not with any commit that contains it.
  const action = before
    ? { action: "update" as const, filePath, content, lastCommitId: before.last_commit_id }
    : { action: "create" as const, filePath, content };
  try {
    const made = await client.commits.create(project.id, branch, message, [action]);
    return { commit: made.id };
  } catch (error) {
    if (!(error instanceof GitLabAnswer)) throw error;
    const now = await fileAt(client, project, change.file, branch);
    if (now?.blob_id !== before?.blob_id || now?.last_commit_id !== before?.last_commit_id) {
      throw new ActionNeededError("FILE_CHANGED", `${change.file} has changed in the meantime`, {
        where: { file: change.file },
        hint: "Look at the file as it is now and try again.",
        cause: error,
      });
    }
    throw new ActionNeededError("COMMIT_REFUSED", `GitLab refuses the commit: ${error.message}`, {
      cause: error,
    });
  }
}

async function fileAt(client: GitLabClient, project: ForgeProject, file: string, ref: string) {
  return undefinedWhenMissing(client.files.show(project.id, file, ref));
}
