import { createHash } from "node:crypto";
import { ActionNeededError } from "#core/errors";
import type { FilesChange, ForgeProject } from "../forge.ts";
import type { GitHubClient } from "./client.ts";
import { findProject } from "./projects.ts";
import type { WantedFile } from "./tree.ts";
import { writeCommit } from "./write-commit.ts";

/** Adds or replaces files in one commit on a branch; see `Forge.commitFiles`. */
export async function commitFiles(
  client: GitHubClient,
  project: ForgeProject,
  { branch, files, message }: Omit<FilesChange, "token">,
): Promise<{ commit: string | undefined }> {
  const start = project.defaultBranch ?? (await findProject(client, project.path))?.defaultBranch;
  if (start === undefined) {
    throw new ActionNeededError(
      "REPOSITORY_EMPTY",
      `${project.path} has no commit yet, or you may not see it`,
    );
  }
  return await writeCommit(client, project, {
    ...{ branch, start, message },
    files: async (there) => {
      const wanted = new Map<string, WantedFile>();
      for (const { path, content } of files) {
        const before = there.get(path);
        if (before?.sha !== blobId(content)) wanted.set(path, { mode: before?.mode ?? "100644", content });
      }
      return wanted;
    },
  });
}

/** Git's own id of a file's content. */
function blobId(content: Uint8Array): string {
  return createHash("sha1").update(`blob ${content.byteLength}\0`).update(content).digest("hex");
}
