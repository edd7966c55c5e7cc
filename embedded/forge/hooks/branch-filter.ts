import type { HookTarget } from "../store/records.ts";

/** True when this hook wants pushes to this branch; `*` in the filter stands for any characters. */
export function matchesBranchFilter(hook: HookTarget, branch: string): boolean {
  if (hook.branchFilterStrategy === "all_branches" || !hook.branchFilter) return true;
  return matchesWildcard(hook.branchFilter, branch);
}

/** Compares in linear time per star, so that no pattern can hang the forge. */
export function matchesWildcard(pattern: string, text: string): boolean {
  const parts = pattern.split("*");
  const [first = ""] = parts;
  const last = parts.at(-1) ?? "";
  if (parts.length === 1) return pattern === text;
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length)
    return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
