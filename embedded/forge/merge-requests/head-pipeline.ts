import type { ForgeContext } from "../forge-context.ts";
import { ciPipelineJson } from "../pipelines/pipeline-json.ts";
import { pipelineJson } from "../statuses/status-json.ts";
import type { MergeRequestRecord } from "../store/merge-request-records.ts";
import { latestVersion } from "./version.ts";

/** The newest pipeline of the head commit, in the target project or in the fork; `null` for none. */
export async function headPipeline(context: ForgeContext, mergeRequest: MergeRequestRecord) {
  return (await headPipelines(context, mergeRequest)).at(-1) ?? null;
}

/** Pipelines of the head commit, and those made for the merge request at former ones, the oldest first. */
export async function mergeRequestPipelines(context: ForgeContext, mergeRequest: MergeRequestRecord) {
  const { projectId, iid } = mergeRequest;
  const ofHead = await headPipelines(context, mergeRequest);
  const known = new Set(ofHead.map(({ id }) => id));
  const former = context.ci.store.pipelinesByProject
    .all(String(projectId))
    .filter(
      (each) => each.mergeRequest?.iid === iid && each.source !== "parent_pipeline" && !known.has(each.id),
    )
    .map((each) => ciPipelineJson(context, each));
  return [...former, ...ofHead].sort((a, b) => a.id - b.id);
}

async function headPipelines(context: ForgeContext, mergeRequest: MergeRequestRecord) {
  const head = latestVersion(context, mergeRequest)?.head;
  const found = [];
  for (const projectId of new Set([mergeRequest.projectId, mergeRequest.sourceProjectId])) {
    const project = context.store.projects.get(projectId);
    if (!project || head === undefined) continue;
    const known = await context.statuses.read(projectId, head);
    found.push(...known.pipelines.map((pipeline) => pipelineJson(context, project, head, known, pipeline)));
    const own = context.ci.store.pipelinesByCommit.all(`${projectId}:${head}`);
    for (const each of own) if (each.source !== "parent_pipeline") found.push(ciPipelineJson(context, each));
  }
  return found.sort((a, b) => a.id - b.id);
}
