import type { ForgeContext } from "../forge-context.ts";
import type { NoteRecord, TextPosition } from "../store/merge-request-records.ts";
import { userBasicJsonById } from "../users/user-json.ts";
import type { NoteTarget } from "./note-target.ts";
import { isResolvable } from "./resolution.ts";
import { suggestionJson } from "./suggestions.ts";

export function noteJson(context: ForgeContext, target: NoteTarget, note: NoteRecord) {
  const resolvable = isResolvable(note);
  const isMergeRequest = target.kind === "MergeRequest";
  return {
    id: note.id,
    type: note.type,
    body: note.body,
    author: userBasicJsonById(context, note.authorId),
    created_at: note.createdAt,
    updated_at: note.updatedAt,
    system: note.system,
    noteable_id: isMergeRequest ? target.mergeRequest.id : null,
    noteable_type: target.kind,
    project_id: note.projectId,
    commit_id: isMergeRequest ? null : target.commit.id,
    ...(note.position && { position: positionJson(note.position) }),
    resolvable,
    ...(resolvable && {
      resolved: note.resolvedAt !== null,
      resolved_by: userBasicJsonById(context, note.resolvedById),
      resolved_at: note.resolvedAt,
    }),
    ...(note.type === "DiffNote" && {
      suggestions: context.store.suggestionsByNote
        .all(String(note.id))
        .map((each) => suggestionJson(context, each)),
    }),
    confidential: note.internal,
    internal: note.internal,
    imported: false,
    imported_from: "none",
    noteable_iid: isMergeRequest ? target.mergeRequest.iid : null,
    commands_changes: {},
  };
}

/** Notes of one thread, or a comment of its own. */
export function discussionJson(context: ForgeContext, target: NoteTarget, notes: readonly NoteRecord[]) {
  const [first] = notes;
  return {
    id: first?.discussionId ?? "",
    individual_note: notes.length === 1 && first?.type === null,
    notes: notes.map((note) => noteJson(context, target, note)),
  };
}

export function positionJson(position: TextPosition) {
  return {
    base_sha: position.baseSha,
    start_sha: position.startSha,
    head_sha: position.headSha,
    old_path: position.oldPath,
    new_path: position.newPath,
    position_type: position.positionType,
    old_line: position.oldLine,
    new_line: position.newLine,
    line_range: position.lineRange,
  };
}
