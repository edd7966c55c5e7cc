import { ActionNeededError } from "#core/errors";
import { checkLinks, checkListing, type TreeProblem } from "#schemas/tree/check-listing";
import type { GitReader } from "./git-reader.ts";

// A listing never changes, and one of a shared repository is looked at for every user.
const harmless = new WeakSet<object>();

/** `ActionNeededError("TREE_REFUSED")`, with the path at fault, for a tree that may not be checked out. Reads nothing. */
export function checkTree(reader: Pick<GitReader, "entries" | "linkTargets">): void {
  if (harmless.has(reader)) return;
  refuseIfAny(checkListing(reader.entries));
  refuseIfAny(checkLinks(reader.entries, reader.linkTargets));
  harmless.add(reader);
}

/** Whether it may be checked out. */
export function isHarmless(reader: Pick<GitReader, "entries" | "linkTargets">): boolean {
  try {
    checkTree(reader);
    return true;
  } catch {
    return false;
  }
}

function refuseIfAny(problems: TreeProblem[]): void {
  const first = problems[0];
  if (first === undefined) return;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more like this)` : "";
  const name = first.path === "" ? "" : `${JSON.stringify(first.path)}: `;
  throw new ActionNeededError("TREE_REFUSED", `${name}${first.message}${more}`, {
    where: first.path === "" ? {} : { file: first.path },
    hint: first.hint,
  });
}
