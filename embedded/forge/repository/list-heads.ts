import type { ForgeContext } from "../forge-context.ts";
import type { ProjectRecord } from "../store/records.ts";

/** Branches by name, with the commit each is at. */
export async function listHeads(
  { git, repositories }: ForgeContext,
  project: ProjectRecord,
): Promise<{ id: string; name: string }[]> {
  const format = "--format=%(objectname) %(refname:lstrip=2)";
  const text = await git.text(repositories.path(project.id), ["for-each-ref", format, "refs/heads"]);
  const lines = text.split("\n").filter(Boolean);
  return lines.map((line) => ({ id: line.slice(0, 40), name: line.slice(41) }));
}
