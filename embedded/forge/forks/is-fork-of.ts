import type { ForgeContext } from "../forge-context.ts";
import type { ProjectRecord } from "../store/records.ts";

/** True for a fork, a fork of a fork, and the other way round: all come from one project. */
export function isForkOf(context: ForgeContext, one: ProjectRecord, other: ProjectRecord): boolean {
  return rootOf(context, one) === rootOf(context, other);
}

/** The project all forks began with, even where it is gone by now. */
function rootOf(context: ForgeContext, project: ProjectRecord): number {
  const seen = new Set([project.id]);
  let root = project.id;
  let next = project.forkedFromId;
  while (next != null && !seen.has(next)) {
    seen.add(next);
    root = next;
    next = context.store.projects.get(next)?.forkedFromId;
  }
  return root;
}
