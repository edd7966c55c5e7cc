import { ActionNeededError } from "#core/errors";
import { compileSchema } from "../compile-schema.ts";
import type { DesiredState, PlatformSettings, RunRequest } from "../desired-state.ts";
import type { CiJobDocument } from "../generated/ci-job.ts";
import type { CiJobOutcomeDocument } from "../generated/ci-job-outcome.ts";
import type { GithubMemberEvent } from "../generated/github-member-event.ts";
import type { GithubPullEvent } from "../generated/github-pull-event.ts";
import type { GithubPushEvent } from "../generated/github-push-event.ts";
import type { GithubRepositoryEvent } from "../generated/github-repository-event.ts";
import type { GithubRunEvent } from "../generated/github-run-event.ts";
import type { GitlabJobEvent } from "../generated/gitlab-job-event.ts";
import type { GitlabMemberEvent } from "../generated/gitlab-member-event.ts";
import type { GitlabMergeRequestEvent } from "../generated/gitlab-merge-request-event.ts";
import type { GitlabNoteEvent } from "../generated/gitlab-note-event.ts";
import type { GitlabPipelineEvent } from "../generated/gitlab-pipeline-event.ts";
import type { GitlabProjectEvent } from "../generated/gitlab-project-event.ts";
import type { GitlabPushEvent } from "../generated/gitlab-push-event.ts";
import type { LibraryChangesDocument } from "../generated/library-changes.ts";
import type { BuildJob, ObservedJob, ProjectJob, ReviewJob, UserJob } from "../jobs.ts";
import type { ObservedState } from "../observed-state.ts";
import type { ObservedPreviews, WantedPreviews } from "../previews.ts";
import { printable, quote } from "../quote.ts";
import type { RunManifest, RunOutcome } from "../run.ts";
import type { SealedSecrets, SecretEnvelope } from "../sealed-secrets.ts";
import type { ObservedWorkspace, WorkspaceRequest } from "../workspace-state.ts";

// What comes from another process (a file, a job, a webhook) is checked before anybody reads it. Each function hands
// the value back as its type, or throws ActionNeededError("DOCUMENT_INVALID") that names the first problem.

export function checkDesiredState(value: unknown, file?: string): DesiredState {
  return check<DesiredState>("desired-state", value, file);
}

export function checkRunRequest(value: unknown, file?: string): RunRequest {
  return check<RunRequest>("run-request", value, file);
}

export function checkPlatformSettings(value: unknown, file?: string): PlatformSettings {
  return check<PlatformSettings>("platform-settings", value, file);
}

export function checkObservedState(value: unknown, file?: string): ObservedState {
  return check<ObservedState>("observed-state", value, file);
}

export function checkRunManifest(value: unknown, file?: string): RunManifest {
  return check<RunManifest>("run-manifest", value, file);
}

export function checkRunOutcome(value: unknown, file?: string): RunOutcome {
  return check<RunOutcome>("run-outcome", value, file);
}

export function checkSealedSecrets(value: unknown, file?: string): SealedSecrets {
  return check<SealedSecrets>("sealed-secrets", value, file);
}

export function checkSecretEnvelope(value: unknown): SecretEnvelope {
  return check<SecretEnvelope>("secret-envelope", value);
}

export function checkProjectJob(value: unknown): ProjectJob {
  return check<ProjectJob>("project-job", value);
}

export function checkReviewJob(value: unknown): ReviewJob {
  return check<ReviewJob>("review-job", value);
}

export function checkUserJob(value: unknown): UserJob {
  return check<UserJob>("user-job", value);
}

export function checkBuildJob(value: unknown): BuildJob {
  return check<BuildJob>("build-job", value);
}

export function checkObservedJob(value: unknown): ObservedJob {
  return check<ObservedJob>("observed-job", value);
}

export function checkWorkspaceRequest(value: unknown, file?: string): WorkspaceRequest {
  return check<WorkspaceRequest>("workspace-request", value, file);
}

export function checkObservedWorkspace(value: unknown, file?: string): ObservedWorkspace {
  return check<ObservedWorkspace>("observed-workspace", value, file);
}

export function checkCiJob(value: unknown, file?: string): CiJobDocument {
  return check<CiJobDocument>("ci-job", value, file);
}

export function checkCiJobOutcome(value: unknown, file?: string): CiJobOutcomeDocument {
  return check<CiJobOutcomeDocument>("ci-job-outcome", value, file);
}

export function checkWantedPreviews(value: unknown, file?: string): WantedPreviews {
  return check<WantedPreviews>("wanted-previews", value, file);
}

export function checkObservedPreviews(value: unknown, file?: string): ObservedPreviews {
  return check<ObservedPreviews>("observed-previews", value, file);
}

/** The body of a request that changes files of the library. */
export function checkLibraryChanges(value: unknown): LibraryChangesDocument {
  return check<LibraryChangesDocument>("library-changes", value);
}

/** A GitLab push event: the fields we read are checked, others are let through unread. */
export function checkPushEvent(value: unknown): GitlabPushEvent {
  return check<GitlabPushEvent>("gitlab-push-event", value);
}

/** A GitLab merge request event. */
export function checkMergeRequestEvent(value: unknown): GitlabMergeRequestEvent {
  return check<GitlabMergeRequestEvent>("gitlab-merge-request-event", value);
}

/** A GitLab event about something that was said. */
export function checkNoteEvent(value: unknown): GitlabNoteEvent {
  return check<GitlabNoteEvent>("gitlab-note-event", value);
}

/** A GitLab system hook about a project (created, destroyed, renamed, transferred, updated). */
export function checkProjectEvent(value: unknown): GitlabProjectEvent {
  return check<GitlabProjectEvent>("gitlab-project-event", value);
}

/** A GitLab system hook about a member of a project or group (added, changed, removed). */
export function checkMemberEvent(value: unknown): GitlabMemberEvent {
  return check<GitlabMemberEvent>("gitlab-member-event", value);
}

/** A GitHub push event. */
export function checkGitHubPushEvent(value: unknown): GithubPushEvent {
  return check<GithubPushEvent>("github-push-event", value);
}

/** A GitHub event about a pull request, or about something that was said. */
export function checkGitHubPullEvent(value: unknown): GithubPullEvent {
  return check<GithubPullEvent>("github-pull-event", value);
}

/** A GitHub event about a repository. */
export function checkGitHubRepositoryEvent(value: unknown): GithubRepositoryEvent {
  return check<GithubRepositoryEvent>("github-repository-event", value);
}

/** A GitHub event about a run of a workflow, or one of its jobs. */
export function checkGitHubRunEvent(value: unknown): GithubRunEvent {
  return check<GithubRunEvent>("github-run-event", value);
}

/** A GitHub event about members of a repository, a team or an organisation. */
export function checkGitHubMemberEvent(value: unknown): GithubMemberEvent {
  return check<GithubMemberEvent>("github-member-event", value);
}

/** A GitLab event about a pipeline whose state has changed. */
export function checkPipelineEvent(value: unknown): GitlabPipelineEvent {
  return check<GitlabPipelineEvent>("gitlab-pipeline-event", value);
}

/** The same about one of its jobs. */
export function checkJobEvent(value: unknown): GitlabJobEvent {
  return check<GitlabJobEvent>("gitlab-job-event", value);
}

function check<T>(name: string, value: unknown, file?: string): T {
  const [problem] = compileSchema(`documents/${name}`, { allErrors: false }).problems(value);
  if (problem === undefined) return value as T;
  const { additionalProperty } = problem.params as { additionalProperty?: unknown };
  const extra = additionalProperty === undefined ? "" : ` ${quote(String(additionalProperty))}`;
  const at = problem.instancePath === "" ? "the document" : quote(problem.instancePath);
  const what = file === undefined ? `a ${name} document` : `${printable(file, 300)} (${name})`;
  const message = `${what} is invalid: ${at} ${printable(problem.message ?? "is not allowed", 200)}${extra}`;
  throw new ActionNeededError("DOCUMENT_INVALID", message, {
    ...(file === undefined ? {} : { where: { file } }),
    hint: "it was written by another version or by hand; remove it and let it be written again",
  });
}
