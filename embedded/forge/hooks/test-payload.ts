import { notePayload } from "../discussions/announce-note.ts";
import type { ForgeContext } from "../forge-context.ts";
import { branchHead } from "../git/refs.ts";
import { ApiError, notImplemented } from "../http/api-error.ts";
import { mergeRequestPayload } from "../merge-requests/merge-request-payload.ts";
import { noteTarget } from "../merge-requests/system-note.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";
import { pushPayload } from "./push-payload.ts";

/** What a test of a hook sends: the project's newest push, merge request or note. Throws `ApiError` 422 where there is none. */
export async function testPayload(
  context: ForgeContext,
  project: ProjectRecord,
  user: UserRecord,
  trigger: string,
) {
  switch (trigger) {
    case "push_events":
    case "tag_push_events":
      return await testPush(context, project, user, trigger);
    case "merge_requests_events": {
      const mergeRequest = context.store.mergeRequestsByProject.all(String(project.id)).at(-1);
      if (!mergeRequest) throw missing("merge requests");
      return await mergeRequestPayload(context, project, mergeRequest, { action: "update", by: user });
    }
    case "note_events":
      return await testNote(context, project, user);
    default:
      throw notImplemented(`a test of ${trigger}`);
  }
}

async function testPush(context: ForgeContext, project: ProjectRecord, user: UserRecord, trigger: string) {
  const gitDir = context.repositories.path(project.id);
  const head = await branchHead(gitDir, project.defaultBranch);
  if (!head) throw new ApiError(422, { message: "Ensure the project has at least one commit." });
  const commit = await context.objects.commit(gitDir, head);
  const ref = trigger === "push_events" ? `refs/heads/${project.defaultBranch}` : "refs/tags/v1.0.0";
  const change = { ref, before: commit?.parents[0] ?? "0".repeat(40), after: head };
  return await pushPayload(context, { project, user, changes: [change], pushOptions: [] }, change);
}

async function testNote(context: ForgeContext, project: ProjectRecord, user: UserRecord) {
  const { notesByTarget, mergeRequestsByProject } = context.store;
  for (const mergeRequest of [...mergeRequestsByProject.all(String(project.id))].reverse()) {
    const note = notesByTarget
      .all(noteTarget(mergeRequest))
      .findLast((each) => !each.system && !each.internal);
    if (!note) continue;
    const target = { kind: "MergeRequest", project, mergeRequest } as const;
    return await notePayload(context, target, note, { by: user, action: "create" });
  }
  throw missing("notes");
}

function missing(what: string): ApiError {
  return new ApiError(422, { message: `Ensure the project has ${what}.` });
}
