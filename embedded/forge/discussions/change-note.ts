import { accessLevels } from "../access/access-level.ts";
import { projectLevel } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { forbidden } from "../http/api-error.ts";
import { announceMergeRequest } from "../merge-requests/announce-merge-request.ts";
import { removeNote } from "../merge-requests/delete-merge-request.ts";
import { canChange } from "../merge-requests/merge-request-rights.ts";
import { systemNote } from "../merge-requests/system-note.ts";
import type { NoteRecord } from "../store/merge-request-records.ts";
import type { UserRecord } from "../store/records.ts";
import { checkBody } from "./add-note.ts";
import { announceNote } from "./announce-note.ts";
import type { NoteTarget } from "./note-target.ts";
import { isResolvable, resolutionOf } from "./resolution.ts";
import { keepSuggestions } from "./suggestions.ts";

/** Writes another text, by its author or a Maintainer. Throws `ApiError` 400 or 403. */
export async function editNote(
  context: ForgeContext,
  target: NoteTarget,
  note: NoteRecord,
  by: UserRecord,
  body: string,
): Promise<NoteRecord> {
  checkMayEdit(context, target, note, by);
  checkBody(body);
  if (body === note.body) return note;
  const updatedAt = context.clock().toISOString();
  const changed = await context.store.notes.update(note.id, { body, updatedAt });
  await keepSuggestions(context, changed);
  announceNote(context, target, changed, { by, action: "update" });
  return changed;
}

/** Takes a note back, by its author or a Maintainer. Throws `ApiError` 403. */
export async function deleteNote(
  context: ForgeContext,
  target: NoteTarget,
  note: NoteRecord,
  by: UserRecord,
): Promise<void> {
  checkMayEdit(context, target, note, by);
  await removeNote(context, note.id);
}

/** Resolves notes of a thread, or takes that back: by the merge request's author or a Developer. Throws `ApiError` 403. */
export async function resolveNotes(
  context: ForgeContext,
  target: NoteTarget,
  notes: readonly NoteRecord[],
  by: UserRecord,
  isResolved: boolean,
): Promise<NoteRecord[]> {
  const { store, clock } = context;
  const resolvable = notes.filter(isResolvable);
  if (target.kind !== "MergeRequest" || resolvable.length === 0) throw forbidden();
  const { project, mergeRequest } = target;
  if (!canChange(context, project, mergeRequest, by)) throw forbidden();
  const before = resolutionOf(context, mergeRequest);
  const now = clock().toISOString();
  const change = isResolved
    ? { resolvedById: by.id, resolvedAt: now }
    : { resolvedById: null, resolvedAt: null };
  const isChanging = (note: NoteRecord) => (note.resolvedAt !== null) !== isResolved;
  const changed = resolvable.map((note) =>
    isChanging(note) ? store.notes.update(note.id, { ...change, updatedAt: now }) : Promise.resolve(note),
  );
  const after = await Promise.all(changed);
  const current = store.mergeRequests.get(mergeRequest.id);
  if (current && !before.isResolved && resolutionOf(context, current).isResolved) {
    await systemNote(context, current, by, "resolved all threads");
    announceMergeRequest(context, current, {
      action: "update",
      by,
      changes: { blocking_discussions_resolved: { previous: false, current: true } },
    });
  }
  return after;
}

function checkMayEdit(context: ForgeContext, target: NoteTarget, note: NoteRecord, by: UserRecord): void {
  const level = projectLevel(context.store, by, target.project, context.clock());
  const may = note.authorId === by.id || level >= accessLevels.maintainer;
  if (note.system || !may) throw forbidden();
}
