import type { ForgeContext } from "../forge-context.ts";
import { pipelineJson } from "../statuses/status-json.ts";
import type { MergeRequestRecord } from "../store/merge-request-records.ts";
import { latestVersion } from "./version.ts";

/** The newest pipeline of the head commit, in the target project or in the fork; `null` for none. */
export async function headPipeline(context: ForgeContext, mergeRequest: MergeRequestRecord) {
  return (await headPipelines(context, mergeRequest)).at(-1) ?? null;
}

/** All pipelines of the head commit, the oldest first. */
export async function headPipelines(context: ForgeContext, mergeRequest: MergeRequestRecord) {
  const head = latestVersion(context, mergeRequest)?.head;
  const found = [];
  for (const projectId of new Set([mergeRequest.projectId, mergeRequest.sourceProjectId])) {
    const project = context.store.projects.get(projectId);
    if (!project || head === undefined) continue;
    const known = await context.statuses.read(projectId, head);
    found.push(...known.pipelines.map((pipeline) => pipelineJson(context, project, head, known, pipeline)));
  }
  return found.sort((a, b) => a.id - b.id);
}
