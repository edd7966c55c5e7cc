import { accessLevels } from "../access/access-level.ts";
import { canReadCode, projectLevel } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { canPush, protectionsOf } from "../repository/branch-protection.ts";
import type { MergeRequestRecord } from "../store/merge-request-records.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";

/** May merge into a branch: Developers into one that nothing protects, else whoever may merge or push there. */
export function canMergeInto(
  context: ForgeContext,
  project: ProjectRecord,
  branch: string,
  user: UserRecord | undefined,
): boolean {
  const level = projectLevel(context.store, user, project, context.clock());
  if (level < accessLevels.developer || project.archived) return false;
  return protectionsOf(project, branch).every((rule) => level >= Math.min(rule.mergeLevel, rule.pushLevel));
}

/** May push commits to a branch. */
export function canPushTo(
  context: ForgeContext,
  project: ProjectRecord,
  branch: string,
  user: UserRecord | undefined,
): boolean {
  const level = projectLevel(context.store, user, project, context.clock());
  return level >= accessLevels.developer && !project.archived && canPush(project, branch, level);
}

/** Developers of the target project. */
export function isDeveloper(
  context: ForgeContext,
  project: ProjectRecord,
  user: UserRecord | undefined,
): boolean {
  return projectLevel(context.store, user, project, context.clock()) >= accessLevels.developer;
}

/** Title, description, state and threads: the author, and Developers of the target project, while they can read it. */
export function canChange(
  context: ForgeContext,
  project: ProjectRecord,
  mergeRequest: MergeRequestRecord,
  user: UserRecord | undefined,
): boolean {
  if (!user || !canReadCode(context.store, user, project, context.clock())) return false;
  return mergeRequest.authorId === user.id || isDeveloper(context, project, user);
}
