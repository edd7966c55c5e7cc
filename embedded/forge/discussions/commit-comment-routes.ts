import { Router } from "express";
import { callerOf } from "../access/caller.ts";
import type { ForgeContext } from "../forge-context.ts";
import { emptyTree } from "../git/empty-tree.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters, pathParameter } from "../http/parameters.ts";
import { findProject, findProjectToChange } from "../projects/find-project.ts";
import { findCommit } from "../repository/find-commit.ts";
import type { NoteRecord, TextPosition } from "../store/merge-request-records.ts";
import { userBasicJsonById } from "../users/user-json.ts";
import { addNote } from "./add-note.ts";
import { type NoteTarget, notesOf } from "./note-target.ts";

/** `commits/:sha/comments`: GitLab's older way to say something about a commit. */
export function commitCommentRoutes(context: ForgeContext): Router {
  const routes = Router({ caseSensitive: true });
  const base = "/projects/:id/repository/commits/:sha/comments";

  routes.get(base, async (request, response) => {
    const project = findProject(context, request, "code");
    const commit = await findCommit(context, project, pathParameter(request, "sha"));
    const notes = notesOf(context, { kind: "Commit", project, commit }, callerOf(request)?.user);
    response.json(paginate(context, request, response, notes).map((note) => commentJson(context, note)));
  });

  routes.post(base, async (request, response) => {
    const { user } = findProjectToChange(context, request, "none");
    const project = findProject(context, request, "code");
    const commit = await findCommit(context, project, pathParameter(request, "sha"));
    const target: NoteTarget = { kind: "Commit", project, commit };
    const parameters = Parameters.of(request);
    const position = positionOf(parameters, commit.parents[0] ?? emptyTree, commit.id);
    const body = parameters.required("note");
    const note = await addNote(context, target, user, { body, ...(position && { position }) });
    response.status(201).json(commentJson(context, note));
  });

  return routes;
}

function positionOf(parameters: Parameters, baseSha: string, headSha: string): TextPosition | undefined {
  const path = parameters.filled("path");
  const line = parameters.integer("line");
  if (path === undefined || line === undefined) return undefined;
  const isOld = parameters.choice("line_type", ["new", "old"]) === "old";
  return {
    ...{ baseSha, startSha: baseSha, headSha, oldPath: path, newPath: path, positionType: "text" },
    ...{ oldLine: isOld ? line : null, newLine: isOld ? null : line, lineRange: null },
  };
}

function commentJson(context: ForgeContext, note: NoteRecord) {
  const { position } = note;
  return {
    note: note.body,
    path: position?.newPath ?? null,
    line: position?.newLine ?? position?.oldLine ?? null,
    line_type: position ? (position.newLine === null ? "old" : "new") : null,
    author: userBasicJsonById(context, note.authorId),
    created_at: note.createdAt,
  };
}
