import type { ForgeContext } from "../forge-context.ts";
import { zeroId } from "../git/ref-name.ts";
import { branchHead } from "../git/refs.ts";
import { writeCommit } from "../git/write-commit.ts";
import { ApiError, notFound, unauthorized } from "../http/api-error.ts";
import { isProtected } from "../repository/branch-protection.ts";
import { refsChanged } from "../repository/refs-changed.ts";
import type {
  MergeCheck,
  MergeRequestRecord,
  MergeRequestVersionRecord,
} from "../store/merge-request-records.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";
import { announceMergeRequest } from "./announce-merge-request.ts";
import { mergeMessage, userSignature } from "./merge-message.ts";
import { canMergeInto, canPushTo } from "./merge-request-rights.ts";
import { detailedMergeStatus } from "./merge-status.ts";
import { refreshNow } from "./refresh-merge-request.ts";
import { takeLargeFiles } from "./take-large-files.ts";
import { latestVersion, versionCommits } from "./version.ts";

export interface MergeOptions {
  /** The head the caller has seen; another one is refused. */
  sha?: string;
  squash?: boolean;
  squashMessage?: string;
  mergeMessage?: string;
  removeSourceBranch?: boolean;
}

/**
 * Merges now, with the checks in GitLab's order. What follows is the same as after a push to the target. Throws `ApiError`
 * 401 without the right, 409 for another head than `sha`, 405 where it cannot be merged, 422 where the target moved meanwhile.
 */
export async function mergeMergeRequest(
  context: ForgeContext,
  project: ProjectRecord,
  mergeRequest: MergeRequestRecord,
  by: UserRecord,
  options: MergeOptions = {},
): Promise<MergeRequestRecord> {
  const merged = await context.mergeRequestQueue.run(String(project.id), async () => {
    const current = await refreshNow(context, mergeRequest.id);
    const target = context.store.projects.get(project.id);
    if (!current || !target) throw notFound();
    if (!canMergeInto(context, target, current.targetBranch, by)) throw unauthorized();
    const version = latestVersion(context, current);
    if (options.sha !== undefined && options.sha !== version?.head) {
      throw new ApiError(409, {
        message: `SHA does not match HEAD of source branch: ${version?.head ?? ""}`,
      });
    }
    const status = await detailedMergeStatus(context, current);
    const { checked } = current;
    if (status !== "mergeable" || !version || !checked?.merge) {
      throw new ApiError(405, { message: "405 Method Not Allowed" });
    }
    return await merge(context, target, current, { by, options, version, checked });
  });
  if (merged.removeSourceBranch) await removeSourceBranch(context, merged, by);
  return merged;
}

interface Merge {
  by: UserRecord;
  options: MergeOptions;
  version: MergeRequestVersionRecord;
  checked: MergeCheck;
}

async function merge(
  context: ForgeContext,
  project: ProjectRecord,
  mergeRequest: MergeRequestRecord,
  { by, options, version, checked }: Merge,
): Promise<MergeRequestRecord> {
  const { store, git, repositories, objects, clock } = context;
  const gitDir = repositories.path(project.id);
  const tree = checked.merge && (await objects.commit(gitDir, checked.merge))?.tree;
  if (!tree) throw new ApiError(422, { message: "Branch cannot be merged" });
  await takeLargeFiles(context, mergeRequest, version);
  const squashCommit = await squash(context, project, mergeRequest, { by, options, version, checked });
  const second = squashCommit ?? version.head;
  const committer = userSignature(context, by);
  const isFastForward = project.mergeMethod === "ff";
  const mergeCommit = isFastForward
    ? null
    : await writeCommit(git, gitDir, {
        tree,
        parents: [checked.target, second],
        author: committer,
        committer,
        message: options.mergeMessage ?? mergeMessage(context, mergeRequest),
      });
  const after = mergeCommit ?? second;
  const ref = `refs/heads/${mergeRequest.targetBranch}`;
  const moved = await git.run(gitDir, ["update-ref", ref, after, checked.target]);
  if (moved.code !== 0) throw new ApiError(422, { message: "Branch cannot be merged" });
  const now = clock().toISOString();
  const merged = await store.mergeRequests.update(mergeRequest.id, {
    state: "merged",
    mergedAt: now,
    mergedById: by.id,
    updatedAt: now,
    mergeCommit,
    squashCommit,
    squash: options.squash ?? mergeRequest.squash,
    removeSourceBranch: options.removeSourceBranch ?? mergeRequest.removeSourceBranch,
    mergeError: null,
  });
  const changes = [{ ref, before: checked.target, after }];
  await refsChanged(context, { project, user: by, changes, pushOptions: [] });
  announceMergeRequest(context, merged, { action: "merge", by });
  return merged;
}

/** All commits of the source as one; `null` where that is not wanted or there is only one that says the same. */
async function squash(
  context: ForgeContext,
  project: ProjectRecord,
  mergeRequest: MergeRequestRecord,
  { by, options, version }: Merge,
): Promise<string | null> {
  const { git, repositories, objects, store } = context;
  const isWanted = project.squashOption === "always" || (options.squash ?? mergeRequest.squash);
  if (project.squashOption === "never" || !isWanted) return null;
  const gitDir = repositories.path(project.id);
  const head = await objects.commit(gitDir, version.head);
  if (!head) return null;
  const message = options.squashMessage ?? mergeRequest.title;
  const commits = await versionCommits(context, project.id, version);
  if (commits.length === 1 && head.message.trim() === message.trim()) return null;
  const author = userSignature(context, store.users.get(mergeRequest.authorId));
  const committer = userSignature(context, by);
  return await writeCommit(git, gitDir, {
    tree: head.tree,
    parents: [version.base],
    author,
    committer,
    message,
  });
}

/** Removes the source branch as whoever merged could by hand; one that moved on meanwhile stays. */
async function removeSourceBranch(
  context: ForgeContext,
  mergeRequest: MergeRequestRecord,
  by: UserRecord,
): Promise<void> {
  const { store, git, repositories } = context;
  const project = store.projects.get(mergeRequest.sourceProjectId);
  const { sourceBranch } = mergeRequest;
  const head = latestVersion(context, mergeRequest)?.head;
  if (!project || head === undefined || sourceBranch === project.defaultBranch) return;
  if (isProtected(project, sourceBranch) || !canPushTo(context, project, sourceBranch, by)) return;
  const gitDir = repositories.path(project.id);
  if ((await branchHead(gitDir, sourceBranch)) !== head) return;
  const ref = `refs/heads/${sourceBranch}`;
  const removed = await git.run(gitDir, ["update-ref", "-d", ref, head]);
  if (removed.code !== 0) return;
  const changes = [{ ref, before: head, after: zeroId }];
  await refsChanged(context, { project, user: by, changes, pushOptions: [] });
}
