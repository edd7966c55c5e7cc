import { messageOf } from "#core/errors";
import {
  checkGitHubMemberEvent,
  checkGitHubPullEvent,
  checkGitHubPushEvent,
  checkGitHubRepositoryEvent,
  checkGitHubRunEvent,
} from "#schemas/documents/check-documents";
import type { ForgeEvent } from "./to-event.ts";
import type { Headers } from "./verify-delivery.ts";

const branchRef = /^refs\/heads\/(.+)$/s;
const nothing = /^0+$/;

/** Translates GitHub's delivery. Whatever it is, the answer is an event, never an exception. */
export function toEventOfGitHub(headers: Headers, body: unknown): ForgeEvent {
  const name = headers["x-github-event"];
  try {
    switch (name) {
      case "push":
        return pushed(body);
      case "pull_request":
      case "pull_request_review":
      case "pull_request_review_comment":
      case "pull_request_review_thread":
      case "issue_comment":
        return pullRequestChanged(name, body);
      case "workflow_run":
      case "workflow_job":
        return runChanged(body);
      case "repository":
        return repositoryChanged(body);
      case "member":
      case "membership":
      case "organization":
      case "team":
        return membersChanged(body);
      case "ping":
        return { kind: "ignored", reason: "the hook was made" };
    }
  } catch (error) {
    return { kind: "ignored", reason: messageOf(error).slice(0, 300) };
  }
  const shown = typeof name === "string" ? JSON.stringify(name.slice(0, 60)) : "without a name";
  return { kind: "ignored", reason: `an event ${shown} is nothing to us` };
}

function pushed(body: unknown): ForgeEvent {
  const push = checkGitHubPushEvent(body);
  const { id: projectId, full_name: projectPath, default_branch: defaultBranch } = push.repository;
  const branch = branchRef.exec(push.ref)?.[1];
  if (branch === undefined) return { kind: "ignored", reason: "a push to something that is no branch" };
  return {
    ...{ kind: "pushed", projectId, projectPath, branch },
    before: commit(push.before),
    after: commit(push.after),
    isDefaultBranch: defaultBranch === undefined ? undefined : branch === defaultBranch,
    username: push.sender?.login,
  };
}

function pullRequestChanged(name: string, body: unknown): ForgeEvent {
  const { repository, action, pull_request: pull, issue } = checkGitHubPullEvent(body);
  const of = { projectId: repository.id, projectPath: repository.full_name };
  const iid = name === "issue_comment" ? issue?.pull_request && issue.number : pull?.number;
  if (iid === undefined) return { kind: "ignored", reason: "a comment on something that is no pull request" };
  return name === "pull_request"
    ? { kind: "merge-request-changed", ...of, iid, action }
    : { kind: "note-added", ...of, iid };
}

function runChanged(body: unknown): ForgeEvent {
  const { repository, workflow_run: run, workflow_job: job } = checkGitHubRunEvent(body);
  const of = { projectId: repository.id, projectPath: repository.full_name };
  if (job) return { kind: "job-changed", ...of, pipelineId: job.run_id, jobId: job.id };
  if (run) return { kind: "pipeline-changed", ...of, pipelineId: run.id };
  return { kind: "ignored", reason: "it names neither a run nor a job" };
}

function repositoryChanged(body: unknown): ForgeEvent {
  const { action, repository, changes } = checkGitHubRepositoryEvent(body);
  const { id: projectId, full_name: projectPath } = repository;
  const of = { projectId, projectPath };
  const [owner = "", name = ""] = projectPath.split("/");
  switch (action) {
    case "created":
    case "unarchived":
      return { kind: "project-created", ...of };
    case "deleted":
    case "archived":
      return { kind: "project-removed", ...of };
    case "renamed": {
      const before = changes?.repository?.name?.from;
      return { kind: "project-moved", ...of, from: before && `${owner}/${before}` };
    }
    case "transferred": {
      const { user, organization } = changes?.owner?.from ?? {};
      const before = organization?.login ?? user?.login;
      return { kind: "project-moved", ...of, from: before && `${before}/${name}` };
    }
    case "publicized":
    case "privatized":
      return { kind: "members-changed", of: projectPath, projectId };
    default:
      return { kind: "ignored", reason: `a repository that was ${action} is nothing to us` };
  }
}

function membersChanged(body: unknown): ForgeEvent {
  const { repository, organization } = checkGitHubMemberEvent(body);
  if (repository === undefined) return { kind: "members-changed", of: organization?.login ?? "" };
  return { kind: "members-changed", of: repository.full_name, projectId: repository.id };
}

function commit(id: string): string | undefined {
  return nothing.test(id) ? undefined : id;
}
