import { ActionNeededError } from "#core/errors";
import type { FileChange, ForgeProject } from "../forge.ts";
import type { GitHubClient } from "./client.ts";
import { findProject } from "./projects.ts";
import { readTree, type WantedFile } from "./tree.ts";
import { writeCommit } from "./write-commit.ts";

/** Replaces or makes one file in one commit; see `Forge.commitFile`. */
export async function commitFile(
  client: GitHubClient,
  project: ForgeProject,
  { file, content, message, baseCommit }: Omit<FileChange, "token">,
): Promise<{ commit: string }> {
  const branch = project.defaultBranch ?? (await findProject(client, project.path))?.defaultBranch;
  if (branch === undefined) {
    throw new ActionNeededError(
      "REPOSITORY_EMPTY",
      `${project.path} has no commit yet, or you may not see it`,
    );
  }
  const before = (await readTree(client, project, baseCommit))?.get(file);
  const { commit } = await writeCommit(client, project, {
    ...{ branch, start: branch, message },
    files: async (there) => {
      const now = there.get(file);
      if (now?.sha !== before?.sha || now?.mode !== before?.mode) {
        throw new ActionNeededError("FILE_CHANGED", `${file} has changed in the meantime`, {
          where: { file },
          hint: "Look at the file as it is now and try again.",
        });
      }
      const wanted: WantedFile = { mode: before?.mode ?? "100644", content: Buffer.from(content) };
      return new Map([[file, wanted]]);
    },
  });
  if (commit !== undefined) return { commit };
  throw new ActionNeededError("COMMIT_REFUSED", "The commit would change nothing");
}
