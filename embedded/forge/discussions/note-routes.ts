import { type Request, Router } from "express";
import { callerOf, requireCaller } from "../access/caller.ts";
import type { ForgeContext } from "../forge-context.ts";
import { badParameter, notFound } from "../http/api-error.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters, pathId, pathParameter } from "../http/parameters.ts";
import { findMergeRequest, findMergeRequestToChange } from "../merge-requests/find-merge-request.ts";
import { findProject, findProjectToChange } from "../projects/find-project.ts";
import { findCommit } from "../repository/find-commit.ts";
import type { NoteRecord } from "../store/merge-request-records.ts";
import type { UserRecord } from "../store/records.ts";
import { addNote } from "./add-note.ts";
import { deleteNote, editNote, resolveNotes } from "./change-note.ts";
import { positionIn } from "./check-position.ts";
import { discussionJson, noteJson } from "./note-json.ts";
import { type NoteTarget, notesOf } from "./note-target.ts";

type Finds = (request: Request, changes: boolean) => Promise<NoteTarget>;

/** `notes` of merge requests, and `discussions` of merge requests and commits: said and resolved by who can read the code. */
export function noteRoutes(context: ForgeContext): Router {
  const routes = Router({ caseSensitive: true });
  const ofMergeRequest: Finds = async (request, changes) => {
    const find = changes ? findMergeRequestToChange : findMergeRequest;
    return { kind: "MergeRequest", ...find(context, request) };
  };
  const ofCommit: Finds = async (request, changes) => {
    if (changes) findProjectToChange(context, request, "none");
    const project = findProject(context, request, "code");
    return {
      kind: "Commit",
      project,
      commit: await findCommit(context, project, pathParameter(request, "sha")),
    };
  };
  const mergeRequest = "/projects/:id/merge_requests/:iid";
  addNoteRoutes(context, routes, `${mergeRequest}/notes`, ofMergeRequest);
  addDiscussionRoutes(context, routes, `${mergeRequest}/discussions`, ofMergeRequest);
  addDiscussionRoutes(context, routes, "/projects/:id/repository/commits/:sha/discussions", ofCommit);
  return routes;
}

function addNoteRoutes(context: ForgeContext, routes: Router, base: string, find: Finds): void {
  routes.get(base, async (request, response) => {
    const target = await find(request, false);
    const parameters = Parameters.of(request);
    const order = parameters.choice("order_by", ["created_at", "updated_at"]) ?? "created_at";
    const sign = (parameters.choice("sort", ["asc", "desc"]) ?? "desc") === "asc" ? 1 : -1;
    const keyOf = (note: NoteRecord) => (order === "created_at" ? note.createdAt : note.updatedAt);
    const filter = parameters.choice("activity_filter", ["all_notes", "only_comments", "only_activity"]);
    const notes = notesOf(context, target, callerOf(request)?.user)
      .filter(
        (note) =>
          filter === undefined || filter === "all_notes" || note.system === (filter === "only_activity"),
      )
      .sort((a, b) => sign * (keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : a.id - b.id));
    const page = paginate(context, request, response, notes);
    response.json(page.map((note) => noteJson(context, target, note)));
  });

  routes.post(base, async (request, response) => {
    const { user } = requireCaller(request);
    const target = await find(request, true);
    const parameters = Parameters.of(request);
    const internal = parameters.boolean("internal") ?? parameters.boolean("confidential") ?? false;
    const note = await addNote(context, target, user, { body: parameters.required("body"), internal });
    response.status(201).json(noteJson(context, target, note));
  });

  routes.get(`${base}/:note_id`, async (request, response) => {
    const target = await find(request, false);
    response.json(noteJson(context, target, findNote(context, target, request)));
  });

  routes.put(`${base}/:note_id`, async (request, response) => {
    const { user } = requireCaller(request);
    const target = await find(request, true);
    const note = findNote(context, target, request);
    const body = Parameters.of(request).required("body");
    response.json(noteJson(context, target, await editNote(context, target, note, user, body)));
  });

  routes.delete(`${base}/:note_id`, async (request, response) => {
    const { user } = requireCaller(request);
    const target = await find(request, true);
    await deleteNote(context, target, findNote(context, target, request), user);
    response.status(204).end();
  });
}

function addDiscussionRoutes(context: ForgeContext, routes: Router, base: string, find: Finds): void {
  routes.get(base, async (request, response) => {
    const target = await find(request, false);
    const threads = new Map<string, NoteRecord[]>();
    for (const note of notesOf(context, target, callerOf(request)?.user)) {
      const thread = threads.get(note.discussionId);
      if (thread) thread.push(note);
      else threads.set(note.discussionId, [note]);
    }
    const page = paginate(context, request, response, [...threads.values()]);
    response.json(page.map((notes) => discussionJson(context, target, notes)));
  });

  routes.post(base, async (request, response) => {
    const { user } = requireCaller(request);
    const target = await find(request, true);
    const parameters = Parameters.of(request);
    const position = positionIn(parameters);
    const body = parameters.required("body");
    const note = await addNote(context, target, user, {
      body,
      isThread: true,
      ...(position && { position }),
    });
    response.status(201).json(discussionJson(context, target, [note]));
  });

  routes.get(`${base}/:discussion_id`, async (request, response) => {
    const target = await find(request, false);
    const notes = findThread(context, target, request, callerOf(request)?.user);
    response.json(discussionJson(context, target, notes));
  });

  routes.put(`${base}/:discussion_id`, async (request, response) => {
    const { user } = requireCaller(request);
    const target = await find(request, true);
    const resolved = Parameters.of(request).boolean("resolved");
    if (resolved === undefined) throw badParameter("resolved is missing");
    await resolveNotes(context, target, findThread(context, target, request, user), user, resolved);
    response.json(discussionJson(context, target, findThread(context, target, request, user)));
  });

  routes.post(`${base}/:discussion_id/notes`, async (request, response) => {
    const { user } = requireCaller(request);
    const target = await find(request, true);
    const [first] = findThread(context, target, request, user);
    const body = Parameters.of(request).required("body");
    const discussionId = first?.discussionId ?? "";
    const note = await addNote(context, target, user, { body, discussionId });
    response.status(201).json(noteJson(context, target, note));
  });

  routes.get(`${base}/:discussion_id/notes/:note_id`, async (request, response) => {
    const target = await find(request, false);
    response.json(noteJson(context, target, findNote(context, target, request)));
  });

  routes.put(`${base}/:discussion_id/notes/:note_id`, async (request, response) => {
    const { user } = requireCaller(request);
    const target = await find(request, true);
    const note = findNote(context, target, request);
    const parameters = Parameters.of(request);
    const body = parameters.text("body");
    const resolved = parameters.boolean("resolved");
    if ((body === undefined) === (resolved === undefined)) {
      throw badParameter("body, resolved are missing, exactly one parameter must be provided");
    }
    const changed =
      resolved === undefined
        ? await editNote(context, target, note, user, body ?? "")
        : (await resolveNotes(context, target, [note], user, resolved))[0];
    response.json(noteJson(context, target, changed ?? note));
  });

  routes.delete(`${base}/:discussion_id/notes/:note_id`, async (request, response) => {
    const { user } = requireCaller(request);
    const target = await find(request, true);
    await deleteNote(context, target, findNote(context, target, request), user);
    response.status(204).end();
  });
}

function findNote(context: ForgeContext, target: NoteTarget, request: Request): NoteRecord {
  const notes = notesOf(context, target, callerOf(request)?.user);
  const note = notes.find((each) => each.id === pathId(request, "note_id"));
  const thread = request.params["discussion_id"];
  if (!note || (thread !== undefined && note.discussionId !== thread)) throw notFound("Note");
  return note;
}

function findThread(
  context: ForgeContext,
  target: NoteTarget,
  request: Request,
  user: UserRecord | undefined,
): NoteRecord[] {
  const id = pathParameter(request, "discussion_id");
  const thread = notesOf(context, target, user).filter((note) => note.discussionId === id);
  if (thread.length === 0) throw notFound("Discussion");
  return thread;
}
