import type { ForgeContext } from "../forge-context.ts";
import { applyStep } from "../git/merge-trees.ts";
import { branchHead } from "../git/refs.ts";
import { signatureOf, writeCommit } from "../git/write-commit.ts";
import { ApiError, forbidden } from "../http/api-error.ts";
import { protectionsOf } from "../repository/branch-protection.ts";
import { refsChanged } from "../repository/refs-changed.ts";
import type { MergeRequestRecord } from "../store/merge-request-records.ts";
import type { UserRecord } from "../store/records.ts";
import { userSignature } from "./merge-message.ts";
import { canPushTo } from "./merge-request-rights.ts";
import { refreshNow } from "./refresh-merge-request.ts";
import { latestVersion, versionCommits } from "./version.ts";

const maxCommits = 200; // each is merged on its own
const deadlineMs = 60_000;
const failure = "Rebase failed: Rebase locally, resolve all conflicts, then push the branch.";

/**
 * Puts the source's commits on top of the target and moves the source branch there; merges among them fall away. A failure is
 * noted as the merge request's `merge_error`. Throws `ApiError` 403 or 409.
 */
export async function rebaseMergeRequest(
  context: ForgeContext,
  mergeRequest: MergeRequestRecord,
  by: UserRecord,
): Promise<void> {
  const { store, git, repositories } = context;
  const source = store.projects.get(mergeRequest.sourceProjectId);
  const branch = mergeRequest.sourceBranch;
  const sourceDir = repositories.path(mergeRequest.sourceProjectId);
  const head = await branchHead(sourceDir, branch);
  if (!source || head === undefined) throw forbidden("Source branch does not exist");
  if (!canPushTo(context, source, branch, by)) throw forbidden("Cannot push to source branch");
  if (protectionsOf(source, branch).some((rule) => !rule.allowForcePush)) {
    throw forbidden("Source branch is protected from force push");
  }
  const rebased = await context.mergeRequestQueue.run(String(mergeRequest.projectId), () =>
    rebase(context, mergeRequest, by, head),
  );
  const mergeError = rebased === undefined ? failure : null;
  await store.mergeRequests.update(mergeRequest.id, { mergeError });
  if (rebased === undefined || rebased === head) return;
  const ref = `refs/heads/${branch}`;
  if (source.id !== mergeRequest.projectId) await bringBack(context, mergeRequest, sourceDir, rebased);
  const moved = await git.run(sourceDir, ["update-ref", ref, rebased, head]);
  if (moved.code !== 0) throw movedMeanwhile();
  const changes = [{ ref, before: head, after: rebased }];
  await refsChanged(context, { project: source, user: by, changes, pushOptions: [] });
}

/** The new head in the target's repository; `undefined` where people have to decide. */
async function rebase(
  context: ForgeContext,
  mergeRequest: MergeRequestRecord,
  by: UserRecord,
  head: string,
): Promise<string | undefined> {
  const { git, objects, repositories } = context;
  const gitDir = repositories.path(mergeRequest.projectId);
  const current = await refreshNow(context, mergeRequest.id, { by });
  const version = latestVersion(context, mergeRequest);
  if (current?.state !== "opened") throw forbidden("Merge request is not open");
  if (version && version.head !== head) throw movedMeanwhile();
  const target = await branchHead(gitDir, mergeRequest.targetBranch);
  if (!version || target === undefined) return undefined;
  if (current.checked?.head === head && !current.checked.isBehind) return head;
  const ids = await versionCommits(context, mergeRequest.projectId, { ...version, start: target });
  if (ids.length > maxCommits) return undefined;
  const endMs = performance.now() + deadlineMs;
  const committer = userSignature(context, by);
  let onto = await objects.commit(gitDir, target);
  for (const id of ids.reverse()) {
    const commit = await objects.commit(gitDir, id);
    if (!commit || !onto || performance.now() > endMs) return undefined;
    const [parent, ...more] = commit.parents;
    if (more.length > 0) continue;
    const from = parent === undefined ? undefined : (await objects.commit(gitDir, parent))?.tree;
    const { tree } = await applyStep(git, gitDir, { from, to: commit.tree, onto: onto.tree });
    if (tree === undefined) return undefined;
    if (tree === onto.tree) continue; // the target has it already
    const author = signatureOf(commit.author);
    const { message } = commit;
    const made = await writeCommit(git, gitDir, { tree, parents: [onto.id], author, committer, message });
    onto = await objects.commit(gitDir, made);
  }
  return onto?.id;
}

function movedMeanwhile(): ApiError {
  return new ApiError(409, { message: "The source branch moved meanwhile. Try again." });
}

/** The fork gets the commits that were made in the target. */
async function bringBack(
  context: ForgeContext,
  mergeRequest: MergeRequestRecord,
  sourceDir: string,
  commit: string,
): Promise<void> {
  const from = context.repositories.path(mergeRequest.projectId);
  const args = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", from];
  await context.git.text(sourceDir, [...args, `${commit}:refs/keep-around/${commit}`]);
}
