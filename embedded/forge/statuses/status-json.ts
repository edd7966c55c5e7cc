import type { ForgeContext } from "../forge-context.ts";
import type { CiJob, CiPipeline } from "../pipelines/ci-records.ts";
import { mayFail } from "../pipelines/state/job-state.ts";
import { webUrl } from "../projects/project-json.ts";
import type { ProjectRecord } from "../store/records.ts";
import { userBasicJsonById } from "../users/user-json.ts";
import type { CommitStatuses, PipelineRecord, StatusRecord, StatusState } from "./status-store.ts";

export function statusJson(context: ForgeContext, commit: string, status: StatusRecord) {
  return {
    id: status.id,
    sha: commit,
    ref: status.ref,
    status: status.status,
    name: status.name,
    target_url: status.targetUrl,
    description: status.description,
    created_at: status.createdAt,
    started_at: status.startedAt,
    finished_at: status.finishedAt,
    allow_failure: false,
    coverage: status.coverage,
    pipeline_id: status.pipelineId,
    author: userBasicJsonById(context, status.userId),
  };
}

/** A job of a pipeline as it stands among the statuses of its commit. */
export function jobStatusJson(context: ForgeContext, pipeline: CiPipeline, job: CiJob) {
  const project = context.store.projects.get(job.projectId);
  return {
    id: job.id,
    sha: pipeline.sha,
    ref: pipeline.ref,
    status: job.status,
    name: job.plan.name,
    target_url: project ? `${webUrl(context, project)}/-/jobs/${job.id}` : null,
    description: null,
    created_at: job.createdAt,
    started_at: job.startedAt,
    finished_at: job.finishedAt,
    allow_failure: mayFail(job),
    coverage: null,
    pipeline_id: pipeline.id,
    author: userBasicJsonById(context, job.userId),
  };
}

/** The pipeline that statuses made, as inside a commit. */
export function pipelineJson(
  context: ForgeContext,
  project: ProjectRecord,
  commit: string,
  known: CommitStatuses,
  pipeline: PipelineRecord,
) {
  return {
    id: pipeline.id,
    iid: pipeline.iid,
    project_id: project.id,
    sha: commit,
    ref: pipeline.ref,
    status: pipelineStatus(known, pipeline),
    source: pipeline.source,
    name: null,
    created_at: pipeline.createdAt,
    updated_at: pipeline.updatedAt,
    web_url: `${webUrl(context, project)}/-/pipelines/${pipeline.id}`,
  };
}

/** One word for all statuses of a pipeline. */
export function pipelineStatus(known: CommitStatuses, pipeline: PipelineRecord): StatusState {
  const states = known.statuses
    .filter((each) => each.pipelineId === pipeline.id && !each.retried)
    .map((each) => each.status);
  const only = (...some: StatusState[]) => states.every((state) => some.includes(state));
  if (only("skipped")) return "skipped";
  if (only("success", "skipped")) return "success";
  if (only("pending", "skipped")) return "pending";
  if (states.includes("running") || states.includes("pending")) return "running";
  return states.includes("failed") ? "failed" : "canceled";
}
