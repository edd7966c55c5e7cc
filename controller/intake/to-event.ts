import { messageOf } from "#core/errors";
import {
  checkJobEvent,
  checkMemberEvent,
  checkMergeRequestEvent,
  checkNoteEvent,
  checkPipelineEvent,
  checkProjectEvent,
  checkPushEvent,
} from "#schemas/documents/check-documents";
import type { Headers } from "./verify-delivery.ts";

/** What a delivery says, in our words. Behind this nobody knows a Git host's field names. */
export type ForgeEvent =
  | {
      kind: "pushed";
      projectId: number;
      projectPath: string;
      branch: string;
      /** Commit ids; `undefined` for a branch that was made or deleted by this push. */
      before: string | undefined;
      after: string | undefined;
      /** `undefined` when the host does not say which branch is the default one. */
      isDefaultBranch: boolean | undefined;
      username: string | undefined;
    }
  /** A merge request was opened, pushed to, merged, closed, ...: `action` in the host's words. Of the project it wants to change. */
  | {
      kind: "merge-request-changed";
      projectId: number;
      projectPath: string;
      iid: number;
      action: string | undefined;
    }
  /** Somebody, we ourselves included, said something about a merge request. */
  | { kind: "note-added"; projectId: number; projectPath: string; iid: number }
  | { kind: "project-created" | "project-removed"; projectId: number; projectPath: string }
  | { kind: "project-moved"; projectId: number; projectPath: string; from: string | undefined }
  /** Somebody came to a project or group, left it, or has another role there. `of`: its path, as far as the host says. */
  | { kind: "members-changed"; of: string; projectId?: number }
  /** Somewhere on its way; where it is, the host says when it is asked, since events may come late or out of order. */
  | { kind: "pipeline-changed"; projectId: number; projectPath: string; pipelineId: number }
  | { kind: "job-changed"; projectId: number; projectPath: string; pipelineId: number; jobId: number }
  | { kind: "ignored"; reason: string };

const branchRef = /^refs\/heads\/(.+)$/s;
const nothing = /^0+$/;

/** Translates GitLab's delivery. Whatever it is, the answer is an event, never an exception. */
export function toEvent(headers: Headers, body: unknown): ForgeEvent {
  const name = headers["x-gitlab-event"];
  try {
    if (name === "Push Hook") return pushed(body);
    if (name === "Merge Request Hook") return mergeRequestChanged(body);
    if (name === "Note Hook") return noteAdded(body);
    if (name === "System Hook") return systemEvent(body);
    if (name === "Pipeline Hook") return pipelineChanged(body);
    if (name === "Job Hook") return jobChanged(body);
  } catch (error) {
    return { kind: "ignored", reason: messageOf(error).slice(0, 300) };
  }
  const shown = typeof name === "string" ? JSON.stringify(name.slice(0, 60)) : "without a name";
  return { kind: "ignored", reason: `an event ${shown} is nothing to us` };
}

function pushed(body: unknown): ForgeEvent {
  const push = checkPushEvent(body);
  if (push.project_id !== push.project.id) {
    return { kind: "ignored", reason: "the push names two different projects" };
  }
  const branch = branchRef.exec(push.ref)?.[1];
  if (branch === undefined) return { kind: "ignored", reason: "a push to something that is no branch" };
  const defaultBranch = push.project.default_branch ?? undefined;
  return {
    kind: "pushed",
    projectId: push.project_id,
    projectPath: push.project.path_with_namespace,
    branch,
    before: commit(push.before),
    after: commit(push.after),
    isDefaultBranch: defaultBranch === undefined ? undefined : branch === defaultBranch,
    username: push.user_username,
  };
}

function pipelineChanged(body: unknown): ForgeEvent {
  const { project, object_attributes: pipeline } = checkPipelineEvent(body);
  return {
    kind: "pipeline-changed",
    projectId: project.id,
    projectPath: project.path_with_namespace,
    pipelineId: pipeline.id,
  };
}

function jobChanged(body: unknown): ForgeEvent {
  const { project, project_id: projectId, build_id: jobId, pipeline_id: pipelineId } = checkJobEvent(body);
  if (projectId !== project.id) return { kind: "ignored", reason: "the job names two different projects" };
  return { kind: "job-changed", projectId, projectPath: project.path_with_namespace, pipelineId, jobId };
}

function mergeRequestChanged(body: unknown): ForgeEvent {
  const { project, object_attributes: mergeRequest } = checkMergeRequestEvent(body);
  if (project.id !== mergeRequest.target_project_id) {
    return { kind: "ignored", reason: "the merge request wants to change another project" };
  }
  return {
    kind: "merge-request-changed",
    projectId: project.id,
    projectPath: project.path_with_namespace,
    iid: mergeRequest.iid,
    action: mergeRequest.action,
  };
}

function noteAdded(body: unknown): ForgeEvent {
  const { project, merge_request: mergeRequest } = checkNoteEvent(body);
  if (mergeRequest === undefined)
    return { kind: "ignored", reason: "a note on something that is no merge request" };
  if (project.id !== mergeRequest.target_project_id) {
    return { kind: "ignored", reason: "the merge request wants to change another project" };
  }
  const { id: projectId, path_with_namespace: projectPath } = project;
  return { kind: "note-added", projectId, projectPath, iid: mergeRequest.iid };
}

function systemEvent(body: unknown): ForgeEvent {
  if (isMemberEvent(body)) {
    const { project_path_with_namespace: project, group_path: group } = checkMemberEvent(body);
    return { kind: "members-changed", of: project ?? group ?? "" };
  }
  const event = checkProjectEvent(body);
  const project = { projectId: event.project_id, projectPath: event.path_with_namespace };
  switch (event.event_name) {
    case "project_create":
      return { kind: "project-created", ...project };
    case "project_destroy":
      return { kind: "project-removed", ...project };
    case "project_rename":
    case "project_transfer":
      return { kind: "project-moved", ...project, from: event.old_path_with_namespace };
    default:
      return { kind: "ignored", reason: `a system event ${event.event_name} is nothing to us` };
  }
}

function isMemberEvent(body: unknown): boolean {
  const name = (body as { event_name?: unknown } | null)?.event_name;
  return typeof name === "string" && /^user_(add_to|update_for|remove_from)_(team|group)$/.test(name);
}

function commit(id: string): string | undefined {
  return nothing.test(id) ? undefined : id;
}
