import { readPatch } from "../compare/read-diff.ts";
import type { ForgeContext } from "../forge-context.ts";
import { isAncestor, mergeBase } from "../git/merge-base.ts";
import { branchHead } from "../git/refs.ts";
import type { MergeRequestRecord, MergeRequestVersionRecord } from "../store/merge-request-records.ts";

const maxVersions = 1_000; // of one merge request, GitLab's; the oldest are forgotten
const maxCounted = 1_000; // files; GitLab writes `1000+` for more
const fetchDeadlineMs = 120_000;
const maxCommits = 1_000; // told of one version; the newest

/** The newest state of the source branch that the merge request knows. */
export function latestVersion(
  context: ForgeContext,
  mergeRequest: MergeRequestRecord,
): MergeRequestVersionRecord | undefined {
  return context.store.versionsByMergeRequest.all(String(mergeRequest.id)).at(-1);
}

/**
 * Makes the commit the merge request's head: brings it over from a fork, keeps it whatever becomes of the branch
 * (`refs/keep-around`), points `refs/merge-requests/:iid/head` at it and notes the version. The caller holds the queue.
 */
export async function addVersion(
  context: ForgeContext,
  mergeRequest: MergeRequestRecord,
  head: string,
): Promise<MergeRequestVersionRecord | undefined> {
  const { store, git, repositories, clock } = context;
  const gitDir = repositories.path(mergeRequest.projectId);
  const start = await branchHead(gitDir, mergeRequest.targetBranch);
  if (start === undefined) return undefined;
  if (mergeRequest.sourceProjectId !== mergeRequest.projectId) {
    await fetchCommit(context, mergeRequest.sourceProjectId, gitDir, head);
  }
  const kept = [...new Set([head, start])].map((id) => `update refs/keep-around/${id} ${id}`);
  const moves = [`update ${headRef(mergeRequest)} ${head}`, ...kept];
  await git.text(gitDir, ["update-ref", "--stdin"], { input: `${moves.join("\n")}\n` });
  const base = (await mergeBase(git, gitDir, [start, head])) ?? start;
  const patch = await readPatch(git, gitDir, base, head);
  const files = patch?.isListCut === false ? patch.changes.length : Number.POSITIVE_INFINITY;
  const patchId = patch && !patch.isCut ? await patchIdOf(context, gitDir, patch.text) : null;
  const version = await store.mergeRequestVersions.insert((id) => ({
    id,
    mergeRequestId: mergeRequest.id,
    head,
    base,
    start,
    createdAt: clock().toISOString(),
    realSize: files > maxCounted ? `${maxCounted}+` : String(files),
    patchId,
  }));
  const versions = store.versionsByMergeRequest.all(String(mergeRequest.id));
  for (const old of versions.slice(0, -maxVersions)) await store.mergeRequestVersions.remove(old.id);
  return version;
}

/** The commits of a version, the newest first. */
export async function versionCommits(
  context: ForgeContext,
  projectId: number,
  version: MergeRequestVersionRecord,
): Promise<string[]> {
  const gitDir = context.repositories.path(projectId);
  const args = ["rev-list", `--max-count=${maxCommits}`, version.head, `^${version.start}`, "--"];
  return (await context.git.text(gitDir, args)).split("\n").filter(Boolean);
}

/** True where the source has nothing that the target did not have. */
export function hasNoCommits(version: MergeRequestVersionRecord): boolean {
  return version.base === version.head;
}

export function headRef(mergeRequest: MergeRequestRecord): string {
  return `refs/merge-requests/${mergeRequest.iid}/head`;
}

export function mergeRef(mergeRequest: MergeRequestRecord): string {
  return `refs/merge-requests/${mergeRequest.iid}/merge`;
}

/** True when the target has taken in all of the source's commits. */
export async function isMergedByNow(
  context: ForgeContext,
  mergeRequest: MergeRequestRecord,
  version: MergeRequestVersionRecord,
  target: string,
): Promise<boolean> {
  if (hasNoCommits(version)) return false;
  const gitDir = context.repositories.path(mergeRequest.projectId);
  return await isAncestor(context.git, gitDir, version.head, target);
}

/** Copies a commit and what belongs to it from another repository of the forge. */
async function fetchCommit(
  context: ForgeContext,
  fromProjectId: number,
  gitDir: string,
  commit: string,
): Promise<void> {
  const from = context.repositories.path(fromProjectId);
  const args = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", from];
  await context.git.text(gitDir, [...args, `${commit}:refs/keep-around/${commit}`], {
    deadlineMs: fetchDeadlineMs,
  });
}

async function patchIdOf(context: ForgeContext, gitDir: string, patch: string): Promise<string | null> {
  const printed = await context.git.run(gitDir, ["patch-id", "--stable"], { input: patch });
  return /^[0-9a-f]{40}/.exec(printed.stdout.toString("latin1"))?.[0] ?? null;
}
