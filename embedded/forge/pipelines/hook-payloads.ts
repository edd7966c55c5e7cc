import type { ForgeContext } from "../forge-context.ts";
import type { GitCommit } from "../git/commit.ts";
import { projectHookJson, repositoryHookJson } from "../hooks/project-hook-json.ts";
import { nameWithNamespace, webUrl } from "../projects/project-json.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";
import type { CiJob, CiPipeline, DeploymentRecord } from "./ci-records.ts";
import { jobDuration, pipelineDuration, pipelineQueued, queuedDuration } from "./durations.ts";
import { detailedStatus } from "./pipeline-json.ts";
import { mayFail, newest } from "./state/job-state.ts";
import { runsProtected, tierOf } from "./variables/predefined.ts";

export const runnerJson = {
  id: 1,
  description: "dtaas",
  runner_type: "instance_type",
  active: true,
  is_shared: true,
  tags: [],
};
const zeroId = "0".repeat(40);

/** The body of a `Pipeline Hook`. */
export async function pipelinePayload(context: ForgeContext, pipeline: CiPipeline) {
  const project = context.store.projects.get(pipeline.projectId);
  if (!project) return undefined;
  const jobs = newest(context.ci.store.jobsByPipeline.all(String(pipeline.id)));
  const stages = pipeline.stages.filter((stage) => jobs.some((job) => job.plan.stage === stage));
  return {
    object_kind: "pipeline",
    object_attributes: {
      id: pipeline.id,
      iid: pipeline.iid,
      name: pipeline.name,
      ref: pipeline.mergeRequest?.sourceBranch ?? pipeline.ref,
      tag: pipeline.tag,
      sha: pipeline.sha,
      before_sha: pipeline.beforeSha,
      source: pipeline.source,
      status: pipeline.status,
      detailed_status: detailedStatus(pipeline.status),
      stages,
      created_at: utc(pipeline.createdAt),
      finished_at: utc(pipeline.finishedAt),
      duration: pipelineDuration(pipeline),
      queued_duration: pipelineQueued(pipeline),
      protected_ref: runsProtected(project, pipeline),
      variables: pipeline.variables.map(({ key, value }) => ({ key, value })),
      url: `${webUrl(context, project)}/-/pipelines/${pipeline.id}`,
    },
    merge_request: mergeRequest(context, project, pipeline),
    user: person(context, pipeline.userId),
    project: hookProject(context, project),
    commit: commitHook(context, project, await commitOf(context, project, pipeline.sha)),
    ...sourcePipeline(context, pipeline),
    builds: jobs.filter(({ plan }) => !plan.trigger).map((job) => build(context, job)),
  };
}

/** The body of a `Job Hook`. */
export async function jobPayload(context: ForgeContext, job: CiJob) {
  const project = context.store.projects.get(job.projectId);
  const pipeline = context.ci.store.pipelines.get(job.pipelineId);
  if (!project || !pipeline) return undefined;
  const now = context.clock();
  const commit = await commitOf(context, project, pipeline.sha);
  const attempts = context.ci.store.jobsByPipeline.all(String(pipeline.id));
  return {
    object_kind: "build",
    ref: pipeline.mergeRequest?.sourceBranch ?? pipeline.ref,
    tag: pipeline.tag,
    before_sha: pipeline.beforeSha,
    sha: pipeline.sha,
    retries_count: attempts.filter((each) => each.plan.name === job.plan.name && each.retried).length,
    build_id: job.id,
    build_name: job.plan.name,
    build_stage: job.plan.stage,
    build_status: job.status,
    build_created_at: utc(job.createdAt),
    build_started_at: utc(job.startedAt),
    build_finished_at: utc(job.finishedAt),
    build_created_at_iso: job.createdAt,
    build_started_at_iso: job.startedAt,
    build_finished_at_iso: job.finishedAt,
    build_duration: jobDuration(job, now),
    build_queued_duration: queuedDuration(job, now),
    build_allow_failure: mayFail(job),
    build_failure_reason: job.failureReason ?? "unknown_failure",
    pipeline_id: pipeline.id,
    runner: job.startedAt === null ? null : runnerJson,
    project_id: project.id,
    project_name: nameWithNamespace(context, project),
    user: person(context, job.userId),
    commit: {
      id: pipeline.id,
      name: pipeline.name,
      sha: pipeline.sha,
      message: commit?.message ?? "",
      author_name: commit?.author.name ?? "",
      author_email: commit?.author.email ?? "",
      author_url: null,
      status: pipeline.status,
      duration: pipelineDuration(pipeline),
      started_at: utc(pipeline.startedAt),
      finished_at: utc(pipeline.finishedAt),
      started_at_iso: pipeline.startedAt,
      finished_at_iso: pipeline.finishedAt,
    },
    repository: repositoryHookJson(context, project),
    project: hookProject(context, project),
    environment: environmentHook(job),
    ...sourcePipeline(context, pipeline),
  };
}

/** The body of a `Deployment Hook`. */
export async function deploymentPayload(context: ForgeContext, deployment: DeploymentRecord) {
  const project = context.store.projects.get(deployment.projectId);
  const environment = context.ci.store.environments.get(deployment.environmentId);
  if (!project || !environment) return undefined;
  const commit = await commitOf(context, project, deployment.sha);
  const user = context.store.users.get(deployment.userId);
  const url = webUrl(context, project);
  return {
    object_kind: "deployment",
    status: deployment.status,
    status_changed_at: utc(deployment.updatedAt),
    deployment_id: deployment.id,
    deployable_id: deployment.jobId,
    deployable_url: deployment.jobId === null ? null : `${url}/-/jobs/${deployment.jobId}`,
    environment: environment.name,
    environment_tier: environment.tier,
    environment_slug: environment.slug,
    environment_external_url: environment.externalUrl,
    project: projectHookJson(context, project),
    short_sha: deployment.sha.slice(0, 8),
    ref: deployment.ref,
    user: person(context, deployment.userId),
    user_url: user ? `${context.url}/${user.username}` : null,
    commit_url: `${url}/-/commit/${deployment.sha}`,
    commit_title: commit?.message.split("\n", 1)[0] ?? null,
  };
}

function build(context: ForgeContext, job: CiJob) {
  const now = context.clock();
  return {
    id: job.id,
    stage: job.plan.stage,
    name: job.plan.name,
    status: job.status,
    created_at: utc(job.createdAt),
    started_at: utc(job.startedAt),
    finished_at: utc(job.finishedAt),
    duration: jobDuration(job, now),
    queued_duration: queuedDuration(job, now),
    failure_reason: job.status === "failed" ? job.failureReason : null,
    when: job.plan.when,
    manual: job.plan.when === "manual",
    allow_failure: mayFail(job),
    user: person(context, job.userId),
    runner: job.startedAt === null ? null : runnerJson,
    artifacts_file: {
      filename: job.artifacts ? "artifacts.zip" : null,
      size: job.artifacts?.bytes ?? null,
    },
    environment: environmentHook(job),
  };
}

function environmentHook({ plan: { environment } }: CiJob) {
  if (environment === null) return null;
  const { name, action, tier } = environment;
  return { name, action, deployment_tier: tier ?? tierOf(name) };
}

function mergeRequest(context: ForgeContext, project: ProjectRecord, { mergeRequest: of }: CiPipeline) {
  if (of === null) return null;
  return {
    iid: of.iid,
    title: of.title,
    source_branch: of.sourceBranch,
    source_project_id: of.sourceProjectId,
    target_branch: of.targetBranch,
    target_project_id: project.id,
    url: `${webUrl(context, project)}/-/merge_requests/${of.iid}`,
  };
}

/** Where a child pipeline comes from; nothing for others. */
function sourcePipeline(context: ForgeContext, { bridgeId }: CiPipeline) {
  const bridge = bridgeId === null ? undefined : context.ci.store.jobs.get(bridgeId);
  const project = bridge && context.store.projects.get(bridge.projectId);
  if (!bridge || !project) return {};
  const { id, fullPath } = project;
  const told = { id, web_url: webUrl(context, project), path_with_namespace: fullPath };
  return { source_pipeline: { project: told, pipeline_id: bridge.pipelineId, job_id: bridge.id } };
}

/** Without the four old names of its addresses, which these hooks leave out. */
function hookProject(context: ForgeContext, project: ProjectRecord) {
  const { homepage: _h, url: _u, ssh_url: _s, http_url: _t, ...rest } = projectHookJson(context, project);
  return rest;
}

function person(context: ForgeContext, userId: number) {
  const user: UserRecord | undefined = context.store.users.get(userId);
  if (!user) return null;
  return { id: user.id, name: user.name, username: user.username, avatar_url: null, email: "[REDACTED]" };
}

async function commitOf(context: ForgeContext, project: ProjectRecord, sha: string) {
  return sha === zeroId
    ? undefined
    : await context.objects.commit(context.repositories.path(project.id), sha);
}

function commitHook(context: ForgeContext, project: ProjectRecord, commit: GitCommit | undefined) {
  if (!commit) return null;
  return {
    id: commit.id,
    message: commit.message,
    title: commit.message.split("\n", 1)[0] ?? "",
    timestamp: commit.committer.date.replace(/\.000/, ""),
    url: `${webUrl(context, project)}/-/commit/${commit.id}`,
    author: { name: commit.author.name, email: commit.author.email },
  };
}

/** `2016-08-12 15:23:28 UTC`, as these hooks tell times. */
function utc(iso: string | null): string | null {
  return iso === null ? null : `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
}
