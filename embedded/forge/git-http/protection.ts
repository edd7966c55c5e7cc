import { projectLevel } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";

/** Tells the hook run by git which refs this user may not push to, and which nobody may rewrite or delete. */
export function protectionFor(
  context: ForgeContext,
  project: ProjectRecord,
  user: UserRecord | undefined,
): Record<string, string> {
  const level = projectLevel(context.store, user, project, context.clock());
  const refs = (branches: ProjectRecord["protectedBranches"]) =>
    branches.map((branch) => `refs/heads/${branch.name}`).join(" ");
  return {
    DTAAS_NO_PUSH: refs(project.protectedBranches.filter((branch) => branch.pushLevel > level)),
    DTAAS_NO_FORCE: refs(project.protectedBranches.filter((branch) => !branch.allowForcePush)),
  };
}
