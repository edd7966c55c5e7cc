import { messageOf } from "#core/errors";
import type { ForgeContext } from "../forge-context.ts";
import { isAncestor } from "../git/merge-base.ts";
import { mergeCommits } from "../git/merge-trees.ts";
import { branchHead } from "../git/refs.ts";
import { writeCommit } from "../git/write-commit.ts";
import type {
  MergeCheck,
  MergeRequestRecord,
  MergeRequestVersionRecord,
} from "../store/merge-request-records.ts";
import type { UserRecord } from "../store/records.ts";
import { announceMergeRequest } from "./announce-merge-request.ts";
import { isFresh } from "./is-fresh.ts";
import { mergeMessage, userSignature } from "./merge-message.ts";
import { startMergeRequestPipeline } from "./merge-request-pipeline.ts";
import { noteCommits } from "./system-note.ts";
import { addVersion, isMergedByNow, latestVersion, mergeRef } from "./version.ts";

export interface Refresh {
  /** Who pushed; where nobody is known the author. */
  by?: UserRecord;
  /** What was pushed to the source branch; the branch as it is now where nothing is said. */
  head?: string;
}

/**
 * Brings a merge request up to what both branches are now: a new version for a new head, a new look at whether it can be
 * merged, or the note that it was merged by other means. Changes to one project's merge requests queue up.
 */
export function refreshMergeRequest(
  context: ForgeContext,
  id: number,
  refresh: Refresh = {},
): Promise<MergeRequestRecord | undefined> {
  const projectId = context.store.mergeRequests.get(id)?.projectId;
  return context.mergeRequestQueue.run(String(projectId), () => refreshNow(context, id, refresh));
}

/** As it is now, looked at anew only where one of the branches moved since. */
export async function freshMergeRequest(
  context: ForgeContext,
  mergeRequest: MergeRequestRecord,
): Promise<MergeRequestRecord> {
  if (mergeRequest.state !== "opened" || (await isFresh(context, mergeRequest))) return mergeRequest;
  try {
    return (await refreshMergeRequest(context, mergeRequest.id)) ?? mergeRequest;
  } catch (error) {
    // It is shown all the same, as not checked yet.
    context.logger.warn(
      { mergeRequest: mergeRequest.id, err: messageOf(error) },
      "no look at a merge request",
    );
    return mergeRequest;
  }
}

/** As `refreshMergeRequest`, for a caller that holds the queue. */
export async function refreshNow(
  context: ForgeContext,
  id: number,
  refresh: Refresh = {},
): Promise<MergeRequestRecord | undefined> {
  const { store, repositories, clock } = context;
  const mergeRequest = store.mergeRequests.get(id);
  if (mergeRequest?.state !== "opened") return mergeRequest;
  const source = await branchHead(repositories.path(mergeRequest.sourceProjectId), mergeRequest.sourceBranch);
  const before = latestVersion(context, mergeRequest);
  const isKnown = source === undefined || source === before?.head;
  const version = isKnown ? before : await addVersion(context, mergeRequest, refresh.head ?? source);
  const checked = version && (await check(context, mergeRequest, version, refresh.by));
  if (!checked || !before || version === before) return checked ?? mergeRequest;
  await noteCommits(context, checked, before, version, refresh.by);
  const updatedAt = clock().toISOString();
  const updated = await store.mergeRequests.update(id, { updatedAt });
  announceMergeRequest(context, updated, { action: "update", by: refresh.by, oldrev: before.head });
  startMergeRequestPipeline(context, updated, refresh.by);
  return updated;
}

async function check(
  context: ForgeContext,
  mergeRequest: MergeRequestRecord,
  version: MergeRequestVersionRecord,
  by: UserRecord | undefined,
): Promise<MergeRequestRecord> {
  const { store, repositories, git, clock } = context;
  const gitDir = repositories.path(mergeRequest.projectId);
  const target = await branchHead(gitDir, mergeRequest.targetBranch);
  const { checked } = mergeRequest;
  if (target === undefined) return mergeRequest;
  if (checked?.head === version.head && checked.target === target) return mergeRequest;
  if (await isMergedByNow(context, mergeRequest, version, target)) {
    const now = clock().toISOString();
    const merged = await store.mergeRequests.update(mergeRequest.id, {
      state: "merged",
      mergedAt: now,
      mergedById: by?.id ?? mergeRequest.authorId,
      updatedAt: now,
    });
    announceMergeRequest(context, merged, { action: "merge", by });
    return merged;
  }
  const { tree, conflicts } = await mergeCommits(git, gitDir, target, version.head);
  const isBehind = !(await isAncestor(git, gitDir, target, version.head));
  const merge =
    tree === undefined ? null : await writeMerge(context, mergeRequest, [target, version.head], tree);
  // Without it a result of former commits would be taken for that of these.
  const move = merge === null ? ["-d", mergeRef(mergeRequest)] : [mergeRef(mergeRequest), merge];
  await git.run(gitDir, ["update-ref", ...move]);
  const found: MergeCheck = { head: version.head, target, merge, conflicts, isBehind };
  return await store.mergeRequests.update(mergeRequest.id, { checked: found });
}

function writeMerge(
  context: ForgeContext,
  mergeRequest: MergeRequestRecord,
  parents: readonly string[],
  tree: string,
): Promise<string> {
  const author = userSignature(context, context.store.users.get(mergeRequest.authorId));
  const message = mergeMessage(context, mergeRequest);
  const gitDir = context.repositories.path(mergeRequest.projectId);
  return writeCommit(context.git, gitDir, { tree, parents, author, committer: author, message });
}
