import { matchesWildcard } from "../hooks/branch-filter.ts";
import type { ProjectRecord, ProtectedBranch } from "../store/records.ts";

/** The rules that hold for a branch; usually none or one. */
export function protectionsOf(project: ProjectRecord, branch: string): ProtectedBranch[] {
  return project.protectedBranches.filter((each) => matchesWildcard(each.name, branch));
}

export function isProtected(project: ProjectRecord, branch: string): boolean {
  return protectionsOf(project, branch).length > 0;
}

/** True when this level suffices to push commits to the branch. */
export function canPush(project: ProjectRecord, branch: string, level: number): boolean {
  return protectionsOf(project, branch).every((each) => level >= each.pushLevel);
}
