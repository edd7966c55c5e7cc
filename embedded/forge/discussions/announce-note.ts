import { messageOf } from "#core/errors";
import type { ForgeContext } from "../forge-context.ts";
import { projectHookJson, repositoryHookJson } from "../hooks/project-hook-json.ts";
import {
  mergeRequestAttributes,
  mergeRequestUrl,
  userHookJson,
} from "../merge-requests/merge-request-payload.ts";
import { webUrl } from "../projects/project-json.ts";
import type { NoteRecord } from "../store/merge-request-records.ts";
import type { UserRecord } from "../store/records.ts";
import { lineCode } from "./check-position.ts";
import { positionJson } from "./note-json.ts";
import type { NoteTarget } from "./note-target.ts";

export interface NoteNews {
  action: "create" | "update";
  by: UserRecord;
}

/** Tells the project's hooks what somebody said, in the background; internal notes go to hooks that ask for those. */
export function announceNote(
  context: ForgeContext,
  target: NoteTarget,
  note: NoteRecord,
  news: NoteNews,
): void {
  const { store, hookSender, logger } = context;
  const flag = note.internal ? "confidential_note_events" : "note_events";
  const hooks = store.hooksByProject
    .all(String(target.project.id))
    .filter((hook) => hook.events.includes(flag));
  if (hooks.length === 0) return;
  hookSender
    .inBackground(async () => {
      const payload = await notePayload(context, target, note, news);
      for (const hook of hooks) hookSender.send(hook, flag, payload);
    })
    .catch((error: unknown) =>
      logger.error({ note: note.id, err: messageOf(error) }, "no webhook could be made"),
    );
}

/** The body of a note webhook. */
export async function notePayload(
  context: ForgeContext,
  target: NoteTarget,
  note: NoteRecord,
  news: NoteNews,
) {
  const { project } = target;
  const { name, url, description, homepage } = repositoryHookJson(context, project);
  const isMergeRequest = target.kind === "MergeRequest";
  const place = isMergeRequest
    ? mergeRequestUrl(context, project, target.mergeRequest)
    : `${webUrl(context, project)}/-/commit/${target.commit.id}`;
  return {
    object_kind: "note",
    event_type: note.internal ? "confidential_note" : "note",
    user: userHookJson(news.by),
    project_id: project.id,
    project: projectHookJson(context, project),
    repository: { name, url, description, homepage },
    object_attributes: {
      id: note.id,
      internal: note.internal,
      note: note.body,
      description: note.body,
      noteable_type: target.kind,
      noteable_id: isMergeRequest ? target.mergeRequest.id : null,
      author_id: note.authorId,
      created_at: note.createdAt,
      updated_at: note.updatedAt,
      project_id: project.id,
      attachment: null,
      line_code: note.position ? lineCode(note.position) : null,
      commit_id: isMergeRequest ? null : target.commit.id,
      system: false,
      st_diff: null,
      discussion_id: note.discussionId,
      type: note.type,
      ...(note.position && { position: positionJson(note.position) }),
      resolved_at: note.resolvedAt,
      resolved_by_id: note.resolvedById,
      action: news.action,
      url: `${place}#note_${note.id}`,
    },
    ...(target.kind === "MergeRequest"
      ? { merge_request: await mergeRequestAttributes(context, project, target.mergeRequest) }
      : { commit: commitHookJson(context, target) }),
  };
}

function commitHookJson(context: ForgeContext, target: NoteTarget & { kind: "Commit" }) {
  const { commit, project } = target;
  return {
    id: commit.id,
    message: commit.message,
    title: commit.message.split("\n", 1)[0] ?? "",
    timestamp: commit.committer.date.replace(/\.000/, ""),
    url: `${webUrl(context, project)}/-/commit/${commit.id}`,
    author: { name: commit.author.name, email: commit.author.email },
  };
}
