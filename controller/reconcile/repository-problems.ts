import type { DesiredState } from "#schemas/desired-state";
import type { Diagnostic } from "#schemas/diagnostic";

const maxProblems = 100; // one status tells the first; the rest is for whoever reads the document

/** Errors of a revision that belong to no twin, as they stand in the desired-state document. Pure. */
export function repositoryProblems(general: readonly Diagnostic[]): Pick<DesiredState, "problems"> {
  const errors = general.filter(({ severity }) => severity === "error").slice(0, maxProblems);
  return errors.length === 0 ? {} : { problems: errors };
}
