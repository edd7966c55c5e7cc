import type { ForgeContext } from "../forge-context.ts";
import type { GitCommit } from "../git/commit.ts";
import { notFound } from "../http/api-error.ts";
import type { ProjectRecord } from "../store/records.ts";

/** The commit of an id, branch or tag; 404 with `what` for none. */
export async function findCommit(
  context: ForgeContext,
  project: ProjectRecord,
  revision: string,
  what = "Commit",
): Promise<GitCommit> {
  const commit = await context.objects.resolve(context.repositories.path(project.id), revision);
  if (!commit) throw notFound(what);
  return commit;
}
