import { withAncestors } from "../../access/rights.ts";
import type { ForgeContext } from "../../forge-context.ts";
import { matchesWildcard } from "../../hooks/branch-filter.ts";
import type { ProjectRecord, VariableRecord } from "../../store/records.ts";

/**
 * The variables that a project and the groups around it keep, the innermost last so that it wins. Protected ones only where `isProtected`;
 * of several with one key the one whose scope fits the environment best.
 */
export function storedVariables(
  context: ForgeContext,
  project: ProjectRecord,
  { isProtected, environment }: { isProtected: boolean; environment: string | null },
): VariableRecord[] {
  const { store } = context;
  const groups = withAncestors(store, project.namespaceId).reverse();
  const sources = [...groups.map(({ id }) => `group:${id}`), `project:${project.id}`];
  return sources.flatMap((source) => {
    const fitting = store.variablesBySource
      .all(source)
      .filter((each) => (isProtected || !each.protected) && fits(each.environmentScope, environment));
    return fitting.sort((a, b) => precision(a.environmentScope) - precision(b.environmentScope));
  });
}

function fits(scope: string, environment: string | null): boolean {
  return scope === "*" || (environment !== null && matchesWildcard(scope, environment));
}

/** A scope without a wildcard fits best, then the longest one. */
function precision(scope: string): number {
  return scope.includes("*") ? scope.length : Number.MAX_SAFE_INTEGER;
}
