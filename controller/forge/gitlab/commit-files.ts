import { createHash } from "node:crypto";
import { posix } from "node:path";
import { ActionNeededError } from "#core/errors";
import type { FilesChange, ForgeProject } from "../forge.ts";
import type { GitLabClient } from "./client.ts";
import { GitLabAnswer, undefinedWhenMissing } from "./errors.ts";
import { findProject } from "./projects.ts";

/** Adds or replaces files in one commit on a branch; see `Forge.commitFiles`. */
export async function commitFiles(
  client: GitLabClient,
  project: ForgeProject,
  change: Omit<FilesChange, "token">,
): Promise<{ commit: string | undefined }> {
  const { branch, files, message } = change;
  const start = project.defaultBranch ?? (await findProject(client, project.path))?.defaultBranch;
  if (start === undefined) {
    throw new ActionNeededError(
      "REPOSITORY_EMPTY",
      `${project.path} has no commit yet, or you may not see it`,
    );
  }
  const head = await headOf(client, project, branch);
  const there = await blobsBeside(
    client,
    project,
    head ?? (await headOf(client, project, start)) ?? start,
    files,
  );
  const actions = files.flatMap(({ path, content }) => {
    const before = there.get(path);
    if (before === blobId(content)) return [];
    const action = before === undefined ? ("create" as const) : ("update" as const);
    const text = Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString("base64");
    return [{ action, filePath: path, content: text, encoding: "base64" as const }];
  });
  if (actions.length === 0 && head !== undefined) return { commit: undefined };
  try {
    const from = head === undefined ? { startBranch: start } : {};
    const made = await client.commits.create(project.id, branch, message, actions, { ...from, stats: false });
    return { commit: made.id };
  } catch (error) {
    if (!(error instanceof GitLabAnswer)) throw error;
    if ((await headOf(client, project, branch)) !== head) {
      throw new ActionNeededError("BRANCH_MOVED", `${branch} has moved in the meantime`, {
        hint: "Try again.",
        cause: error,
      });
    }
    throw new ActionNeededError("COMMIT_REFUSED", `GitLab refuses the commit: ${error.message}`, {
      cause: error,
    });
  }
}

async function headOf(
  client: GitLabClient,
  project: ForgeProject,
  branch: string,
): Promise<string | undefined> {
  return (await undefinedWhenMissing(client.branches.show(project.id, branch)))?.commit.id;
}

/** Content ids of what stands in the folders of these files at a commit. */
async function blobsBeside(
  client: GitLabClient,
  project: ForgeProject,
  ref: string,
  files: readonly { path: string }[],
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const folder of new Set(files.map(({ path }) => posix.dirname(path)))) {
    const where = folder === "." ? {} : { path: folder };
    const listed = await undefinedWhenMissing(
      client.repositories.allRepositoryTrees(project.id, { ...where, ref, perPage: 100 }),
    );
    for (const { path, id, type } of listed ?? []) if (type === "blob") found.set(path, id);
  }
  return found;
}

/** Git's own id of a file's content, in repositories of the usual kind; another id costs a needless replacement. */
function blobId(content: Uint8Array): string {
  return createHash("sha1").update(`blob ${content.byteLength}\0`).update(content).digest("hex");
}
