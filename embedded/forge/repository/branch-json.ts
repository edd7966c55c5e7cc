import { accessLevels } from "../access/access-level.ts";
import { projectLevel } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import type { GitCommit } from "../git/commit.ts";
import { webUrl } from "../projects/project-json.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";
import { canPush, protectionsOf } from "./branch-protection.ts";
import { commitJson } from "./commit-json.ts";

export function branchJson(
  context: ForgeContext,
  project: ProjectRecord,
  branch: { name: string; commit: GitCommit; merged: boolean },
  user: UserRecord | undefined,
) {
  const { name, commit, merged } = branch;
  const rules = protectionsOf(project, name);
  const level = projectLevel(context.store, user, project, context.clock());
  const developer = accessLevels.developer;
  return {
    name,
    commit: commitJson(context, project, commit),
    merged,
    protected: rules.length > 0,
    developers_can_push: rules.length > 0 && rules.every((rule) => rule.pushLevel <= developer),
    developers_can_merge: rules.length > 0 && rules.every((rule) => rule.mergeLevel <= developer),
    can_push: level >= developer && canPush(project, name, level),
    default: name === project.defaultBranch,
    web_url: `${webUrl(context, project)}/-/tree/${name}`,
  };
}
