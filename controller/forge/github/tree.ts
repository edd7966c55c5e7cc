import { ActionNeededError } from "#core/errors";
import type { ForgeProject } from "../forge.ts";
import type { GitHubClient } from "./client.ts";
import { undefinedWhenMissing } from "./errors.ts";
import { at } from "./projects.ts";

export interface TreeFile {
  mode: "100644" | "100755" | "120000" | "160000";
  /** Content id. */
  sha: string;
}

/** A file as it is to be: where its content is not in the repository yet, that. `undefined`: gone. */
export type WantedFile = TreeFile | { mode: TreeFile["mode"]; content: Uint8Array } | undefined;

/** Every file of a commit by its path; `undefined` where there is no such commit. */
export async function readTree(
  client: GitHubClient,
  project: ForgeProject,
  commit: string,
): Promise<Map<string, TreeFile> | undefined> {
  const asked = client.rest.git.getTree({ ...at(project), tree_sha: commit, recursive: "true" });
  const found = (await undefinedWhenMissing(asked))?.data;
  if (found === undefined) return undefined;
  if (found.truncated) {
    throw new ActionNeededError(
      "COMMIT_REFUSED",
      `${project.path} has too many files to be changed through GitHub`,
      {
        hint: "Change it with git.",
      },
    );
  }
  const files = found.tree.filter(({ type }) => type !== "tree");
  return new Map(files.map(({ path, mode, sha }) => [path, { mode: mode as TreeFile["mode"], sha }]));
}

/** Refuses files where a folder is, and below of files: GitHub would put the one in the place of the other. */
export function checkPlaces(
  there: ReadonlyMap<string, unknown>,
  wanted: ReadonlyMap<string, WantedFile>,
): void {
  const after = new Set(there.keys());
  for (const [path, file] of wanted) {
    if (file === undefined) after.delete(path);
    else after.add(path);
  }
  const folders = new Set<string>();
  for (const path of after) {
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
      folders.add(path.slice(0, end));
    }
  }
  for (const path of after) {
    if (folders.has(path)) {
      throw new ActionNeededError("COMMIT_REFUSED", `${path} cannot be a file and a folder`, {
        where: { file: path },
      });
    }
  }
}
