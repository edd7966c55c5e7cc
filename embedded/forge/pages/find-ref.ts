import type { ForgeContext } from "../forge-context.ts";
import type { GitCommit } from "../git/commit.ts";
import { branchHead, tagTarget } from "../git/refs.ts";
import { isFilePath } from "../repository/file-actions.ts";
import type { ProjectRecord } from "../store/records.ts";
import { PageError } from "./page-error.ts";

const maxSegments = 40; // of a ref's name

export interface FoundRef {
  name: string;
  commit: GitCommit;
  /** What follows the name in the address: a path, or nothing. */
  path: string;
}

/** Names of branches may hold slashes: finds where the ref ends and the path begins. `PageError` 404 for none. */
export async function findRef(
  context: ForgeContext,
  project: ProjectRecord,
  rest: string,
): Promise<FoundRef> {
  const gitDir = context.repositories.path(project.id);
  const segments = rest.split("/");
  for (let count = 1; count <= Math.min(segments.length, maxSegments); count += 1) {
    const name = segments.slice(0, count).join("/");
    const isRef = (await branchHead(gitDir, name)) ?? (await tagTarget(gitDir, name));
    if (isRef === undefined && count > 1) continue;
    const commit = await context.objects.resolve(gitDir, name);
    const path = segments.slice(count).join("/").replace(/\/+$/, "");
    if (commit && (path === "" || isFilePath(path))) return { name, commit, path };
  }
  throw new PageError(
    404,
    "There is no such branch or commit",
    "It may have been removed; look at the branches.",
  );
}
