import { ActionNeededError } from "#core/errors";
import type { Diagnostic } from "#schemas/diagnostic";

/** Throws again whatever does not say that a tree may not be checked out. */
export function treeRefusal(error: unknown): ActionNeededError {
  if (error instanceof ActionNeededError && error.code === "TREE_REFUSED") return error;
  throw error;
}

/** The refusal of a tree as a diagnostic of the path at fault. */
export function treeDiagnostic(refusal: ActionNeededError): Diagnostic {
  const { file = "", line = 1, column = 1 } = refusal.where ?? {};
  const { message, hint } = refusal;
  return {
    code: "tree-refused",
    severity: "error",
    file,
    line,
    column,
    message,
    ...(hint === undefined ? {} : { hint }),
  };
}
