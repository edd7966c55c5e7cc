import { accessLevels } from "../access/access-level.ts";
import { projectLevel } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { forbidden, notFound } from "../http/api-error.ts";
import { newDiscussionId } from "../merge-requests/system-note.ts";
import type { NoteRecord, TextPosition } from "../store/merge-request-records.ts";
import type { UserRecord } from "../store/records.ts";
import { announceNote } from "./announce-note.ts";
import { checkPosition } from "./check-position.ts";
import { noteProblem } from "./note-problem.ts";
import { type NoteTarget, targetKey } from "./note-target.ts";
import { keepSuggestions } from "./suggestions.ts";

const maxBody = 1_000_000; // characters; GitLab's
const maxNotes = 5_000; // on one merge request or commit, GitLab's; what the forge writes itself does not count
const maxAllBodies = 16 * 1024 * 1024; // characters on one merge request or commit: all notes are held in memory

export interface NewNote {
  body: string;
  /** The thread that is answered. */
  discussionId?: string;
  /** A thread of its own that can be resolved, rather than a comment. */
  isThread?: boolean;
  position?: TextPosition;
  internal?: boolean;
}

/** Says something, by whoever can read the target. Throws `ApiError` 400 in GitLab's words, 403 or 404. */
export async function addNote(
  context: ForgeContext,
  target: NoteTarget,
  by: UserRecord,
  wanted: NewNote,
): Promise<NoteRecord> {
  const { store, clock } = context;
  checkBody(wanted.body);
  const thread = threadOf(context, target, wanted.discussionId);
  const first = thread?.[0];
  if (wanted.internal && projectLevel(store, by, target.project, clock()) < accessLevels.reporter) {
    throw forbidden();
  }
  if (wanted.position) await checkPosition(context, target, wanted.position);
  refuseTooMany(context, target, wanted.body);
  const position = wanted.position ?? first?.position ?? null;
  const isThread = wanted.isThread === true || first !== undefined;
  const now = clock().toISOString();
  const isResolved = thread?.every((note) => note.resolvedAt !== null) ?? false;
  const note = await store.notes.insert((id) => ({
    id,
    projectId: target.project.id,
    target: targetKey(target),
    discussionId: first?.discussionId ?? newDiscussionId(),
    type: position ? "DiffNote" : isThread ? "DiscussionNote" : null,
    body: wanted.body,
    authorId: by.id,
    createdAt: now,
    updatedAt: now,
    system: false,
    internal: wanted.internal ?? first?.internal ?? false,
    position,
    resolvedById: isResolved ? by.id : null,
    resolvedAt: isResolved ? now : null,
  }));
  // An answer makes a thread of a comment.
  if (first?.type === null) await store.notes.update(first.id, { type: "DiscussionNote" });
  await keepSuggestions(context, note);
  await touch(context, target, now);
  announceNote(context, target, note, { by, action: "create" });
  return note;
}

/** Throws `ApiError` 400 for an empty or an endless text. */
export function checkBody(body: string): void {
  if (body.trim() === "") throw noteProblem(':note=>["can\'t be blank"]');
  if (body.length > maxBody) throw noteProblem(`:note=>["is too long (maximum is ${maxBody} characters)"]`);
}

function threadOf(
  context: ForgeContext,
  target: NoteTarget,
  discussionId: string | undefined,
): NoteRecord[] | undefined {
  if (discussionId === undefined) return undefined;
  const notes = context.store.notesByTarget.all(targetKey(target));
  const thread = notes.filter((note) => note.discussionId === discussionId);
  if (thread.length === 0) throw notFound("Discussion");
  if (thread[0]?.system) throw forbidden();
  return thread;
}

function refuseTooMany(context: ForgeContext, target: NoteTarget, body: string): void {
  const notes = context.store.notesByTarget.all(targetKey(target)).filter((note) => !note.system);
  const characters = notes.reduce((sum, note) => sum + note.body.length, body.length);
  if (notes.length >= maxNotes || characters > maxAllBodies) {
    throw noteProblem(':base=>["Maximum number of comments exceeded"]');
  }
}

async function touch(context: ForgeContext, target: NoteTarget, updatedAt: string): Promise<void> {
  const { mergeRequests } = context.store;
  if (target.kind === "MergeRequest" && mergeRequests.get(target.mergeRequest.id)) {
    await mergeRequests.update(target.mergeRequest.id, { updatedAt });
  }
}
