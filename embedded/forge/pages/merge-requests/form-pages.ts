import { addNote } from "../../discussions/add-note.ts";
import { applySuggestions } from "../../discussions/apply-suggestions.ts";
import { resolveNotes } from "../../discussions/change-note.ts";
import { positionIn } from "../../discussions/check-position.ts";
import { type NoteTarget, notesOf } from "../../discussions/note-target.ts";
import { Parameters } from "../../http/parameters.ts";
import { approveMergeRequest, unapproveMergeRequest } from "../../merge-requests/approve-merge-request.ts";
import { changeMergeRequest } from "../../merge-requests/change-merge-request.ts";
import { mergeMergeRequest } from "../../merge-requests/merge-merge-request.ts";
import { field } from "../form-field.ts";
import { PageError } from "../page-error.ts";
import type { ProjectPage, ProjectVisit } from "../project-page.ts";
import { backTo, changedMergeRequest } from "./merge-request-visit.ts";

const positionFields = ["base_sha", "start_sha", "head_sha", "old_path", "new_path", "old_line", "new_line"];

type Handle = (visit: ProjectVisit, iid: string | undefined) => Promise<void>;

/** What is done on the page of a merge request, each through the functions that the API calls. */
export const formPages: readonly ProjectPage[] = [
  form("notes", comment),
  form("resolve", resolve),
  form("apply", applySuggestion),
  form("approve", async (visit, iid) => {
    const { mergeRequest, user } = await changedMergeRequest(visit, iid);
    await approveMergeRequest(visit.context, mergeRequest.id, user, seenHead(visit));
    backTo(visit, mergeRequest);
  }),
  form("unapprove", async (visit, iid) => {
    const { mergeRequest, user } = await changedMergeRequest(visit, iid);
    await unapproveMergeRequest(visit.context, mergeRequest.id, user);
    backTo(visit, mergeRequest);
  }),
  form("merge", async (visit, iid) => {
    const { project, mergeRequest, user } = await changedMergeRequest(visit, iid);
    const sha = seenHead(visit);
    if (sha === undefined)
      throw new PageError(400, "Nothing was merged", "Load the page of the merge request again.");
    await mergeMergeRequest(visit.context, project, mergeRequest, user, { sha });
    backTo(visit, mergeRequest);
  }),
  form("close", (visit, iid) => setState(visit, iid, "close")),
  form("reopen", (visit, iid) => setState(visit, iid, "reopen")),
];

function form(name: string, handle: Handle): ProjectPage {
  return {
    method: "POST",
    path: new RegExp(`^merge_requests/(\\d{1,9})/${name}$`),
    need: "code",
    handle: (visit, match) => handle(visit, match[1]),
  };
}

async function comment(visit: ProjectVisit, iid: string | undefined): Promise<void> {
  const { project, mergeRequest, user } = await changedMergeRequest(visit, iid);
  const { request, context } = visit;
  const discussionId = field(request, "discussion_id");
  const given = Object.fromEntries(
    positionFields.flatMap((name) => (field(request, name) === "" ? [] : [[name, field(request, name)]])),
  );
  const position = "head_sha" in given ? positionIn(new Parameters({ position: given })) : undefined;
  const target: NoteTarget = { kind: "MergeRequest", project, mergeRequest };
  const note = await addNote(context, target, user, {
    body: field(request, "body").replaceAll("\r\n", "\n"), // as a form sends line ends
    isThread: field(request, "thread") === "true" || position !== undefined,
    ...(discussionId !== "" && { discussionId }),
    ...(position && { position }),
  });
  backTo(visit, mergeRequest, `#note_${note.id}`);
}

async function resolve(visit: ProjectVisit, iid: string | undefined): Promise<void> {
  const { project, mergeRequest, user } = await changedMergeRequest(visit, iid);
  const { request, context } = visit;
  const target: NoteTarget = { kind: "MergeRequest", project, mergeRequest };
  const discussionId = field(request, "discussion_id");
  const thread = notesOf(context, target, user).filter((note) => note.discussionId === discussionId);
  if (thread.length === 0) throw new PageError(404, "There is no such thread", "It may have been deleted.");
  await resolveNotes(context, target, thread, user, field(request, "resolved") === "true");
  backTo(visit, mergeRequest, `#thread_${discussionId}`);
}

async function applySuggestion(visit: ProjectVisit, iid: string | undefined): Promise<void> {
  const { project, mergeRequest, user } = await changedMergeRequest(visit, iid);
  const { request, context } = visit;
  const suggestion = context.store.suggestions.get(Number(field(request, "suggestion")));
  const target: NoteTarget = { kind: "MergeRequest", project, mergeRequest };
  const note = notesOf(context, target, user).find((each) => each.id === suggestion?.noteId);
  if (!suggestion || !note)
    throw new PageError(404, "There is no such suggestion", "It may have been changed.");
  await applySuggestions(context, { project, mergeRequest }, [{ suggestion, note }], { by: user });
  backTo(visit, mergeRequest, `#note_${note.id}`);
}

async function setState(
  visit: ProjectVisit,
  iid: string | undefined,
  stateEvent: "close" | "reopen",
): Promise<void> {
  const { mergeRequest, user } = await changedMergeRequest(visit, iid);
  await changeMergeRequest(visit.context, mergeRequest.id, user, { stateEvent });
  backTo(visit, mergeRequest);
}

/** The head that was on the page: what came after it has not been looked at. */
function seenHead({ request }: ProjectVisit): string | undefined {
  return field(request, "sha") || undefined;
}
