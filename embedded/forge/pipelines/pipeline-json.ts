import type { ForgeContext } from "../forge-context.ts";
import { webUrl } from "../projects/project-json.ts";
import type { ProjectRecord } from "../store/records.ts";
import { userBasicJsonById } from "../users/user-json.ts";
import type { CiPipeline } from "./ci-records.ts";
import { pipelineDuration, pipelineQueued } from "./durations.ts";
import type { CiStatus } from "./state/composite-status.ts";

/** A pipeline as in lists and inside other things. */
export function ciPipelineJson(context: ForgeContext, pipeline: CiPipeline) {
  return {
    id: pipeline.id,
    iid: pipeline.iid,
    project_id: pipeline.projectId,
    sha: pipeline.sha,
    ref: pipeline.ref,
    status: pipeline.status,
    source: pipeline.source,
    name: pipeline.name,
    created_at: pipeline.createdAt,
    updated_at: pipeline.updatedAt,
    web_url: pipelineUrl(context, pipeline),
  };
}

/** All of it. */
export function pipelineDetailJson(context: ForgeContext, project: ProjectRecord, pipeline: CiPipeline) {
  return {
    ...ciPipelineJson(context, pipeline),
    before_sha: pipeline.beforeSha,
    tag: pipeline.tag,
    yaml_errors: pipeline.yamlErrors,
    user: userBasicJsonById(context, pipeline.userId),
    started_at: pipeline.startedAt,
    finished_at: pipeline.finishedAt,
    committed_at: null,
    duration: pipelineDuration(pipeline),
    queued_duration: pipelineQueued(pipeline),
    coverage: null,
    archived: false,
    detailed_status: {
      icon: `status_${pipeline.status}`,
      text: labelOf(pipeline.status),
      label: labelOf(pipeline.status).toLowerCase(),
      group: groupOf(pipeline.status),
      tooltip: labelOf(pipeline.status).toLowerCase(),
      has_details: true,
      details_path: `/${project.fullPath}/-/pipelines/${pipeline.id}`,
      illustration: null,
      favicon: null,
    },
  };
}

export function pipelineUrl(context: ForgeContext, pipeline: CiPipeline): string {
  const project = context.store.projects.get(pipeline.projectId);
  return project ? `${webUrl(context, project)}/-/pipelines/${pipeline.id}` : context.url;
}

/** As webhooks tell it. */
export function detailedStatus(status: CiStatus): string {
  return status === "success" ? "passed" : labelOf(status).toLowerCase();
}

function labelOf(status: CiStatus): string {
  if (status === "success") return "Passed";
  if (status === "waiting_for_resource") return "Waiting";
  return status.charAt(0).toUpperCase() + status.slice(1);
}

function groupOf(status: CiStatus): string {
  return status.replaceAll("_", "-");
}
