import pLimit from "p-limit";
import { ActionNeededError } from "#core/errors";
import type { FileAction, ForgeProject, NewCommit } from "../forge.ts";
import type { GitLabClient } from "./client.ts";
import { GitLabAnswer, undefinedWhenMissing } from "./errors.ts";
import { findProject } from "./projects.ts";

const firstBranch = "main"; // of a repository without commits
const maxLooks = 50; // files looked at to find out which one was in the way of a refused commit
const looksAtOnce = 8;

type GitLabAction = NonNullable<Parameters<GitLabClient["commits"]["create"]>[3]>[number];

/** One commit with all actions; see `Forge.commit`. GitLab holds `lastCommitId` against the branch as it is then. */
export async function commit(
  client: GitLabClient,
  project: ForgeProject,
  wanted: Omit<NewCommit, "token">,
): Promise<{ commit: string }> {
  const branch =
    project.defaultBranch ?? (await findProject(client, project.path))?.defaultBranch ?? firstBranch;
  const actions = wanted.actions.flatMap(toGitLab);
  const { newBranch = branch } = wanted;
  try {
    const from = newBranch === branch ? {} : { startBranch: branch };
    const made = await client.commits.create(project.id, newBranch, wanted.message, actions, from);
    return { commit: made.id };
  } catch (error) {
    if (!(error instanceof GitLabAnswer)) throw error;
    if (error.status === 404) {
      throw new ActionNeededError("FORGE_FORBIDDEN", `GitLab does not let you change ${project.path}`, {
        hint: "Ask a maintainer of the project for the Developer role.",
        cause: error,
      });
    }
    const changed = await findChanged(client, project, branch, wanted.actions);
    if (changed !== undefined) {
      throw new ActionNeededError("FILE_CHANGED", `${changed} has changed in the meantime`, {
        where: { file: changed },
        hint: "Look at the file as it is now and try again.",
        cause: error,
      });
    }
    throw new ActionNeededError("COMMIT_REFUSED", `GitLab refuses the commit: ${error.message}`, {
      cause: error,
    });
  }
}

/** A new file becomes executable by a second action: GitLab takes the mode with `chmod` only. */
function toGitLab(action: FileAction): GitLabAction[] {
  switch (action.action) {
    case "create": {
      const create: GitLabAction = { action: "create", filePath: action.path, ...encoded(action.content) };
      return action.executable ? [create, chmod(action.path, true)] : [create];
    }
    case "update": {
      const { path: filePath, lastCommit: lastCommitId } = action;
      return [{ action: "update", filePath, lastCommitId, ...encoded(action.content) }];
    }
    case "delete":
      return [{ action: "delete", filePath: action.path, lastCommitId: action.lastCommit }];
    case "move": {
      const { path: filePath, from: previousPath, lastCommit: lastCommitId } = action;
      return [{ action: "move", filePath, previousPath, lastCommitId }];
    }
    case "chmod":
      return [chmod(action.path, action.executable)];
  }
}

function chmod(filePath: string, executable: boolean): GitLabAction {
  return { action: "chmod", filePath, execute_filemode: executable };
}

/** Always base64: whatever the bytes are, they arrive as they are. */
function encoded(content: Uint8Array): { content: string; encoding: "base64" } {
  const { buffer, byteOffset, byteLength } = content;
  return { content: Buffer.from(buffer, byteOffset, byteLength).toString("base64"), encoding: "base64" };
}

/** The first file that is not as an action expects. */
async function findChanged(
  client: GitLabClient,
  project: ForgeProject,
  branch: string,
  actions: readonly FileAction[],
): Promise<string | undefined> {
  const limit = pLimit(looksAtOnce);
  const show = (path: string) =>
    limit(() => undefinedWhenMissing(client.files.show(project.id, path, branch)));
  const looks = actions.slice(0, maxLooks).map(async (action) => {
    if (action.action === "chmod") return undefined;
    if (action.action !== "create") {
      const path = action.action === "move" ? action.from : action.path;
      if ((await show(path))?.last_commit_id !== action.lastCommit) return path;
    }
    const isNew = action.action === "create" || action.action === "move";
    return isNew && (await show(action.path)) !== undefined ? action.path : undefined;
  });
  return (await Promise.all(looks)).find((path) => path !== undefined);
}
