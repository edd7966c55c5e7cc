import type { ForgeContext } from "../forge-context.ts";
import { pipelineJson } from "../statuses/status-json.ts";
import type { ProjectRecord } from "../store/records.ts";
import { ciPipelineJson } from "./pipeline-json.ts";

/** The newest pipeline of a commit, be it made by jobs or by statuses, as inside the commit; `undefined` for none. */
export async function latestPipelineJson(context: ForgeContext, project: ProjectRecord, commit: string) {
  const known = await context.statuses.read(project.id, commit);
  const external = known.pipelines.at(-1);
  const own = context.ci.store.pipelinesByCommit
    .all(`${project.id}:${commit}`)
    .filter(({ source }) => source !== "parent_pipeline")
    .at(-1);
  if (own && own.id > (external?.id ?? 0)) return ciPipelineJson(context, own);
  return external ? pipelineJson(context, project, commit, known, external) : undefined;
}
