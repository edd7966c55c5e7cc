import { ActionNeededError } from "#core/errors";
import type { ForgeProject } from "../forge.ts";
import type { Discussion, NewNote, Note, NoteEdit } from "../forge-merge-requests.ts";
import type { GitLabClient } from "./client.ts";
import { GitLabAnswer, undefinedWhenMissing } from "./errors.ts";

interface NoteReply {
  id: number;
  body: string;
  author: { id: number; username: string };
  system: boolean;
  created_at: string;
  updated_at: string;
  resolvable?: boolean;
  resolved?: boolean;
  resolved_by?: { id: number } | null;
}

interface DiscussionReply {
  id: string;
  notes: NoteReply[];
}

/** What people and we said, oldest first. */
export async function listDiscussions(
  client: GitLabClient,
  project: ForgeProject,
  iid: number,
  ownId: number,
): Promise<Discussion[]> {
  const asked = client.discussions.all(project.id, iid, { perPage: 100 });
  const listed = ((await undefinedWhenMissing(asked)) ?? []) as unknown as DiscussionReply[];
  return listed.flatMap(({ id, notes }) => {
    const said = notes.filter(({ system }) => !system);
    if (said.length === 0) return [];
    const resolvable = said.filter(({ resolvable }) => resolvable === true);
    const isResolved = resolvable.length > 0 && resolvable.every(({ resolved }) => resolved === true);
    return [
      {
        id,
        isThread: resolvable.length > 0,
        isResolved,
        resolvedByUs: isResolved && resolvable.at(-1)?.resolved_by?.id === ownId,
        notes: said.map((note) => toNote(note, ownId)),
      },
    ];
  });
}

export async function sayNote(
  client: GitLabClient,
  project: ForgeProject,
  iid: number,
  note: NewNote,
): Promise<number | undefined> {
  const { body, at, discussion } = note;
  try {
    if (discussion !== undefined) {
      const answered = await client.discussions.addNote(project.id, iid, discussion, body);
      return (answered as { id: number }).id;
    }
    // Only a thread may be resolved, and keeps a merge request from being merged until then.
    if (at === undefined) return (await client.notes.create(project.id, iid, body)).id;
    // As JSON: gitbeaker's own call sends a form, in which every line break of the text becomes another one.
    const sent = { body: { body, position: positionOf(at) } };
    const made = await client.discussions.requester.post(
      `${project.id}/merge_requests/${iid}/discussions`,
      sent,
    );
    return (made.body as unknown as DiscussionReply).notes[0]?.id ?? 0;
  } catch (error) {
    if (!(error instanceof GitLabAnswer)) throw error;
    // The diff moved on since it was read, or the host does not take the line.
    if (at !== undefined && (error.status === 400 || error.status === 422)) return undefined;
    throw new ActionNeededError("NOTE_REFUSED", `GitLab refuses the note: ${error.message}`, {
      cause: error,
    });
  }
}

/** An added line has no number in the old text; one that is only shown has both. */
function positionOf(at: NonNullable<NewNote["at"]>) {
  const { version, oldPath, newPath, line, oldLine } = at;
  return {
    position_type: "text",
    base_sha: version.base,
    start_sha: version.start,
    head_sha: version.head,
    old_path: oldPath,
    new_path: newPath,
    new_line: line,
    ...(oldLine === undefined ? {} : { old_line: oldLine }),
  };
}

export async function editNote(
  client: GitLabClient,
  project: ForgeProject,
  iid: number,
  { discussion, note, body }: NoteEdit,
): Promise<void> {
  await orMissing(client.discussions.editNote(project.id, iid, discussion, note, { body }));
}

/** gitbeaker has no call for whole threads. */
export async function resolveThread(
  client: GitLabClient,
  project: ForgeProject,
  iid: number,
  { discussion, resolved }: { discussion: string; resolved: boolean },
): Promise<void> {
  const path = `${project.id}/merge_requests/${iid}/discussions/${encodeURIComponent(discussion)}`;
  await orMissing(client.discussions.requester.put(path, { body: { resolved } }));
}

async function orMissing(asked: Promise<unknown>): Promise<void> {
  try {
    await asked;
  } catch (error) {
    if (!(error instanceof GitLabAnswer)) throw error;
    const code = error.status === 404 ? "NOTE_NOT_FOUND" : "NOTE_REFUSED";
    throw new ActionNeededError(code, `GitLab refuses the change of a note: ${error.message}`, {
      cause: error,
    });
  }
}

function toNote(reply: NoteReply, ownId: number): Note {
  const { id, body, author } = reply;
  return {
    ...{ id, body, author: { id: author.id, username: author.username }, isOurs: author.id === ownId },
    ...{ createdAt: reply.created_at, updatedAt: reply.updated_at },
  };
}
