import { createHash, randomUUID } from "node:crypto";
import type { ForgeContext } from "../forge-context.ts";
import type { MergeRequestRecord, MergeRequestVersionRecord } from "../store/merge-request-records.ts";
import type { UserRecord } from "../store/records.ts";
import { versionCommits } from "./version.ts";

const maxCommitsNamed = 20; // in one note

/** What the forge itself writes into the history of a merge request, in the name of whoever did it. */
export async function systemNote(
  context: ForgeContext,
  mergeRequest: MergeRequestRecord,
  by: UserRecord | undefined,
  body: string,
): Promise<void> {
  const now = context.clock().toISOString();
  await context.store.notes.insert((id) => ({
    id,
    projectId: mergeRequest.projectId,
    target: noteTarget(mergeRequest),
    discussionId: newDiscussionId(),
    type: null,
    body,
    authorId: by?.id ?? mergeRequest.authorId,
    createdAt: now,
    updatedAt: now,
    system: true,
    internal: false,
    position: null,
    resolvedById: null,
    resolvedAt: null,
  }));
}

/** Tells which commits a push brought. */
export async function noteCommits(
  context: ForgeContext,
  mergeRequest: MergeRequestRecord,
  before: MergeRequestVersionRecord,
  after: MergeRequestVersionRecord,
  by: UserRecord | undefined,
): Promise<void> {
  const known = new Set(await versionCommits(context, mergeRequest.projectId, before));
  const added = (await versionCommits(context, mergeRequest.projectId, after)).filter((id) => !known.has(id));
  const gitDir = context.repositories.path(mergeRequest.projectId);
  const lines: string[] = [];
  for (const id of added.slice(0, maxCommitsNamed).reverse()) {
    const commit = await context.objects.commit(gitDir, id);
    lines.push(`* ${id.slice(0, 8)} - ${commit?.message.split("\n", 1)[0]?.slice(0, 255) ?? ""}`);
  }
  const count = `added ${added.length} commit${added.length === 1 ? "" : "s"}`;
  await systemNote(
    context,
    mergeRequest,
    by,
    [count, ...(lines.length > 0 ? ["", ...lines] : [])].join("\n"),
  );
}

/** The key under which a merge request's notes are kept. */
export function noteTarget(mergeRequest: MergeRequestRecord): string {
  return `mr:${mergeRequest.id}`;
}

export function newDiscussionId(): string {
  return createHash("sha1").update(randomUUID()).digest("hex");
}
