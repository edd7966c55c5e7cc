import type { ForgeContext } from "../forge-context.ts";
import { noteTarget } from "../merge-requests/system-note.ts";
import type { MergeRequestRecord, NoteRecord } from "../store/merge-request-records.ts";

/** How many threads of a merge request there are to resolve, and whether all are. */
export function resolutionOf(
  context: ForgeContext,
  mergeRequest: MergeRequestRecord,
): { threads: number; isResolved: boolean } {
  const notes = context.store.notesByTarget.all(noteTarget(mergeRequest)).filter(isResolvable);
  const isResolved = notes.every((note) => note.resolvedAt !== null);
  return { threads: new Set(notes.map((note) => note.discussionId)).size, isResolved };
}

/** Threads of merge requests are resolved; comments of their own and those on commits are not. */
export function isResolvable(note: NoteRecord): boolean {
  return note.type !== null && !note.system && note.target.startsWith("mr:");
}
