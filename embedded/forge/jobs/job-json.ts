import type { ForgeContext } from "../forge-context.ts";
import type { GitCommit } from "../git/commit.ts";
import type { CiJob } from "../pipelines/ci-records.ts";
import { jobDuration, queuedDuration } from "../pipelines/durations.ts";
import { ciPipelineJson } from "../pipelines/pipeline-json.ts";
import { mayFail } from "../pipelines/state/job-state.ts";
import { webUrl } from "../projects/project-json.ts";
import { commitJson } from "../repository/commit-json.ts";
import { userBasicJsonById } from "../users/user-json.ts";

const runner = {
  id: 1,
  description: "dtaas",
  ip_address: null,
  active: true,
  paused: false,
  is_shared: true,
  runner_type: "instance_type",
  name: "dtaas-runner",
  online: true,
  status: "online",
};

/** A job. `commit` where it has been read. */
export function jobJson(context: ForgeContext, job: CiJob, commit?: GitCommit) {
  const { artifacts } = job;
  const file = artifacts ? { filename: "artifacts.zip", size: artifacts.bytes } : undefined;
  return {
    ...common(context, job, commit),
    ...(file ? { artifacts_file: file } : {}),
    artifacts: file ? [{ file_type: "archive", ...file, file_format: "zip" }] : [],
    runner: job.startedAt === null ? null : runner,
    runner_manager: null,
    artifacts_expire_at: artifacts?.expiresAt ?? null,
    archived: false,
    tag_list: job.plan.tags,
  };
}

/** A job that starts another pipeline. */
export function bridgeJson(context: ForgeContext, job: CiJob, commit?: GitCommit) {
  const child = job.downstreamId === null ? undefined : context.ci.store.pipelines.get(job.downstreamId);
  return {
    ...common(context, job, commit),
    downstream_pipeline: child ? ciPipelineJson(context, child) : null,
  };
}

function common(context: ForgeContext, job: CiJob, commit: GitCommit | undefined) {
  const { store, clock } = context;
  const project = store.projects.get(job.projectId);
  const pipeline = context.ci.store.pipelines.get(job.pipelineId);
  const now = clock();
  return {
    id: job.id,
    status: job.status,
    stage: job.plan.stage,
    name: job.plan.name,
    ref: pipeline?.ref ?? null,
    tag: pipeline?.tag ?? false,
    coverage: null,
    allow_failure: mayFail(job),
    created_at: job.createdAt,
    started_at: job.startedAt,
    finished_at: job.finishedAt,
    erased_at: job.erasedAt,
    duration: jobDuration(job, now),
    queued_duration: queuedDuration(job, now),
    user: userBasicJsonById(context, job.userId),
    commit: commit && project ? commitJson(context, project, commit) : null,
    pipeline: pipeline ? ciPipelineJson(context, pipeline) : null,
    ...(job.status === "failed" ? { failure_reason: job.failureReason } : {}),
    web_url: project ? `${webUrl(context, project)}/-/jobs/${job.id}` : null,
    project: { ci_job_token_scope_enabled: false },
  };
}
