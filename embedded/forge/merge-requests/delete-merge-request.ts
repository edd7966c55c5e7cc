import type { ForgeContext } from "../forge-context.ts";
import type { MergeRequestRecord } from "../store/merge-request-records.ts";
import { noteTarget } from "./system-note.ts";
import { headRef, mergeRef } from "./version.ts";

/** Removes a merge request with all that was said, and its refs. */
export async function deleteMergeRequest(
  context: ForgeContext,
  mergeRequest: MergeRequestRecord,
): Promise<void> {
  await forgetMergeRequest(context, mergeRequest);
  const gitDir = context.repositories.path(mergeRequest.projectId);
  for (const ref of [headRef(mergeRequest), mergeRef(mergeRequest)]) {
    await context.git.run(gitDir, ["update-ref", "-d", ref]);
  }
}

/** As `deleteMergeRequest`, where the repository goes as a whole. */
export async function forgetMergeRequest(
  context: ForgeContext,
  mergeRequest: MergeRequestRecord,
): Promise<void> {
  const { store } = context;
  await store.mergeRequests.remove(mergeRequest.id);
  for (const version of store.versionsByMergeRequest.all(String(mergeRequest.id))) {
    await store.mergeRequestVersions.remove(version.id);
  }
  for (const note of store.notesByTarget.all(noteTarget(mergeRequest))) await removeNote(context, note.id);
}

/** Removes a note with what it suggested. */
export async function removeNote(context: ForgeContext, id: number): Promise<void> {
  const { notes, suggestions, suggestionsByNote } = context.store;
  for (const suggestion of suggestionsByNote.all(String(id))) await suggestions.remove(suggestion.id);
  await notes.remove(id);
}
