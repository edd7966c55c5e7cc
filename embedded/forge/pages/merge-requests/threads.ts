import { type NoteTarget, notesOf } from "../../discussions/note-target.ts";
import { isResolvable } from "../../discussions/resolution.ts";
import { canChange, canPushTo } from "../../merge-requests/merge-request-rights.ts";
import type { MergeRequestRecord, NoteRecord, SuggestionRecord } from "../../store/merge-request-records.ts";
import { type Html, html, type Piece } from "../html.ts";
import { renderMarkdown } from "../markdown.ts";
import { csrfField } from "../page.ts";
import type { ProjectVisit } from "../project-page.ts";
import { timeOf } from "../time-of.ts";
import { mergeRequestPath } from "./merge-request-visit.ts";

/** Notes that belong together, the oldest first. */
export type Thread = readonly NoteRecord[];

/** Threads of a merge request as this visitor may see them, in their order. */
export function threadsOf(visit: ProjectVisit, mergeRequest: MergeRequestRecord): Thread[] {
  const target: NoteTarget = { kind: "MergeRequest", project: visit.project, mergeRequest };
  const threads = new Map<string, NoteRecord[]>();
  for (const note of notesOf(visit.context, target, visit.user)) {
    const thread = threads.get(note.discussionId);
    if (thread) thread.push(note);
    else threads.set(note.discussionId, [note]);
  }
  return [...threads.values()];
}

/** A thread with what its visitor may do about it; a line for what the forge itself has noted. */
export function threadView(visit: ProjectVisit, mergeRequest: MergeRequestRecord, thread: Thread): Piece {
  const [first] = thread;
  if (!first) return undefined;
  if (first.system) {
    return html`<div class="soft" id="note_${first.id}">${authorOf(visit, first)} ${renderMarkdown(first.body)}</div>`;
  }
  const isThread = thread.some(isResolvable);
  const isResolved = isThread && thread.filter(isResolvable).every((note) => note.resolvedAt !== null);
  const notes = thread.map((note) => noteView(visit, mergeRequest, note));
  const said = html`${placeOf(mergeRequest, first)}${notes}${visit.user && answers(visit, mergeRequest, { first, isThread, isResolved })}`;
  const summary = html`<summary>Resolved: ${authorOf(visit, first)}, ${whereOf(first)}</summary>`;
  return html`<section class="card" id="thread_${first.discussionId}">${isResolved ? html`<details>${summary}${said}</details>` : said}</section>`;
}

function noteView(visit: ProjectVisit, mergeRequest: MergeRequestRecord, note: NoteRecord): Html {
  const suggestions = visit.context.store.suggestionsByNote.all(String(note.id));
  return html`<article id="note_${note.id}"><p><strong>${authorOf(visit, note)}</strong>
<span class="soft">${timeOf(note.createdAt)}${note.internal && ", for members only"}</span></p>
${renderMarkdown(note.body)}${suggestions.map((each) => suggestionView(visit, mergeRequest, note, each))}</article>`;
}

function suggestionView(
  visit: ProjectVisit,
  mergeRequest: MergeRequestRecord,
  note: NoteRecord,
  suggestion: SuggestionRecord,
): Piece {
  if (suggestion.appliedIn !== null) return html`<p class="good">This suggestion was applied.</p>`;
  const source = visit.context.store.projects.get(mergeRequest.sourceProjectId);
  const may = source && canPushTo(visit.context, source, mergeRequest.sourceBranch, visit.user);
  if (!may || mergeRequest.state !== "opened" || note.resolvedAt !== null) return undefined;
  return html`<form method="post" action="${mergeRequestPath(visit, mergeRequest, "apply")}">${csrfField(visit.csrf)}
<input type="hidden" name="suggestion" value="${suggestion.id}"><button type="submit">Apply this suggestion</button></form>`;
}

function answers(
  visit: ProjectVisit,
  mergeRequest: MergeRequestRecord,
  { first, isThread, isResolved }: { first: NoteRecord; isThread: boolean; isResolved: boolean },
): Html {
  const may = canChange(visit.context, visit.project, mergeRequest, visit.user);
  const resolve = html`<form method="post" action="${mergeRequestPath(visit, mergeRequest, "resolve")}">${csrfField(visit.csrf)}
<input type="hidden" name="discussion_id" value="${first.discussionId}"><input type="hidden" name="resolved" value="${isResolved ? "false" : "true"}">
<button type="submit" class="plain">${isResolved ? "Reopen" : "Resolve"}</button></form>`;
  return html`<details><summary>Answer</summary>
<form method="post" action="${mergeRequestPath(visit, mergeRequest, "notes")}">${csrfField(visit.csrf)}
<input type="hidden" name="discussion_id" value="${first.discussionId}">
<label for="answer_${first.id}">Answer</label><textarea id="answer_${first.id}" name="body" rows="3" required></textarea>
<button type="submit">Send</button></form></details>${isThread && may && resolve}`;
}

/** Where in the files it was said, for what does not stand at that line any more. */
function placeOf(mergeRequest: MergeRequestRecord, { position }: NoteRecord): Piece {
  if (!position) return undefined;
  const isOld = mergeRequest.checked !== undefined && mergeRequest.checked.head !== position.headSha;
  const line = position.newLine ?? position.oldLine;
  return html`<p class="soft path">${position.newPath}${line !== null && `, line ${line}`}${isOld && ", of an earlier version"}</p>`;
}

function whereOf({ position }: NoteRecord): string {
  return position ? position.newPath : "on the whole";
}

function authorOf({ context }: ProjectVisit, { authorId }: NoteRecord): string {
  return context.store.users.get(authorId)?.name ?? "somebody who has left";
}
