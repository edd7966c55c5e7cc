import { randomUUID } from "node:crypto";
import { accessLevels } from "../access/access-level.ts";
import { projectLevel } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import type { GitCommit } from "../git/commit.ts";
import { isBranchName, zeroId } from "../git/ref-name.ts";
import { branchHead } from "../git/refs.ts";
import { ApiError, badRequest, forbidden } from "../http/api-error.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";
import { canPush, protectionsOf } from "./branch-protection.ts";
import { type FileAction, planFileActions } from "./file-actions.ts";
import { personLine } from "./person-line.ts";
import { refsChanged } from "./refs-changed.ts";

export interface NewCommit {
  branch: string;
  message: string;
  actions: FileAction[];
  /** Where a new branch starts: a branch, or a commit id. */
  start?: string;
  authorName?: string;
  authorEmail?: string;
  /** Moves an existing branch to the new commit even where `start` is elsewhere. */
  force?: boolean;
}

/**
 * Makes one commit with all actions, or none, and moves the branch only if it is where it was when the actions
 * were checked. What follows is the same as after a git push. Throws `ApiError` in GitLab's words.
 */
export async function commitFiles(
  context: ForgeContext,
  project: ProjectRecord,
  user: UserRecord,
  wanted: NewCommit,
): Promise<GitCommit> {
  checkMayPush(context, project, user, wanted.branch);
  const gitDir = context.repositories.path(project.id);
  const { commit, before } = await context.repositories.serially(project.id, async () => {
    const head = await branchHead(gitDir, wanted.branch);
    const base = await findBase(context, project, gitDir, head, wanted);
    const commands = await planFileActions(context.git, gitDir, base, wanted.actions);
    const id = await writeCommit(context, gitDir, base, { user, wanted, commands });
    if (head && base !== head && protectionsOf(project, wanted.branch).some((each) => !each.allowForcePush)) {
      throw forbidden("You are not allowed to force push into this branch");
    }
    const ref = `refs/heads/${wanted.branch}`;
    const moved = await context.git.run(gitDir, ["update-ref", ref, id, head ?? zeroId]);
    if (moved.code !== 0) throw badRequest(`Could not update ${ref}. Please refresh and try again.`);
    const made = await context.objects.commit(gitDir, id);
    if (!made) throw new Error(`commit ${id} was written and cannot be read`);
    return { commit: made, before: head ?? zeroId };
  });
  const changes = [{ ref: `refs/heads/${wanted.branch}`, before, after: commit.id }];
  await refsChanged(context, { project, user, changes, pushOptions: [] });
  return commit;
}

/** Throws 403 unless the user may push commits to this branch. */
export function checkMayPush(
  context: ForgeContext,
  project: ProjectRecord,
  user: UserRecord,
  branch: string,
): void {
  if (!isBranchName(branch)) throw badRequest("Branch name is invalid");
  const level = projectLevel(context.store, user, project, context.clock());
  if (level < accessLevels.developer || !canPush(project, branch, level)) {
    throw new ApiError(403, { message: "You are not allowed to push into this branch" });
  }
}

async function findBase(
  context: ForgeContext,
  project: ProjectRecord,
  gitDir: string,
  head: string | undefined,
  wanted: NewCommit,
): Promise<string | undefined> {
  const { branch, start } = wanted;
  if (start === undefined || start === branch) {
    const isFirst = context.store.projects.get(project.id)?.empty ?? false;
    if (!head && !isFirst) throw badRequest("You can only create or edit files when you are on a branch");
    return head;
  }
  if (head && !wanted.force) {
    throw badRequest(
      `A branch called '${branch}' already exists. Switch to that branch in order to make changes`,
    );
  }
  const found = await context.objects.resolve(gitDir, start);
  if (!found) throw badRequest(`Cannot find start revision '${start}'`);
  return found.id;
}

/** Writes the commit's objects in one go, with git's own importer; no ref moves. */
async function writeCommit(
  context: ForgeContext,
  gitDir: string,
  base: string | undefined,
  commit: { user: UserRecord; wanted: NewCommit; commands: Buffer[] },
): Promise<string> {
  const { user, wanted, commands } = commit;
  const when = `${Math.floor(context.clock().getTime() / 1_000)} +0000`;
  const author = personLine(wanted.authorName ?? user.name, wanted.authorEmail ?? user.email);
  const message = Buffer.from(wanted.message);
  const ref = `refs/dtaas/commit-${randomUUID()}`;
  const head = [
    `commit ${ref}\nmark :1\nauthor ${author} ${when}\n`,
    `committer ${personLine(user.name, user.email)} ${when}\ndata ${message.length}\n`,
  ].join("");
  const input = Buffer.concat([
    Buffer.from(head),
    message,
    Buffer.from(`\n${base ? `from ${base}\n` : ""}`),
    ...commands,
    Buffer.from(`\nget-mark :1\nreset ${ref}\nfrom ${zeroId}\n\ndone\n`),
  ]);
  const printed = await context.git.text(gitDir, ["fast-import", "--quiet", "--done"], { input });
  return printed.trim();
}
