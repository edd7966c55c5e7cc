import { stripVTControlCharacters } from "node:util";
import { allJobs, type PipelineJobView, type PipelineState, type PipelineTree } from "#schemas/pipelines";
import { printable } from "#schemas/quote";
import type { ApiClient } from "../api/api-client.ts";
import { followEvents } from "../api/follow-events.ts";
import type { CommandContext } from "../command-context.ts";
import { exitCodes } from "../exit-codes.ts";
import { colourOf } from "../output/paint.ts";
import { jobPath, type PipelineName, pipelinePath } from "./pipeline-name.ts";

/**
 * Shows what the jobs of a pipeline print, one job after another, each from its beginning, and says when a job is somewhere else,
 * until nothing of the pipeline goes on. Resolves with the state it ended in.
 */
export async function followPipeline(
  context: CommandContext,
  api: ApiClient,
  name: PipelineName,
): Promise<PipelineState> {
  const { io, json } = context;
  const hooks = {
    onLost: () => io.err("the connection was lost; going on where it was\n"),
    signal: io.interrupted,
  };
  const said = new Map<number, PipelineState>();
  const shown = new Set<number>();
  let last: PipelineState = "waiting";
  for await (const { event, data } of followEvents(api, `${pipelinePath(name)}/events`, hooks)) {
    if (json) io.out(`${JSON.stringify({ event: event ?? "message", data: JSON.parse(data) as unknown })}\n`);
    if (event === "end") return (JSON.parse(data) as { state: PipelineState }).state;
    const tree = JSON.parse(data) as PipelineTree;
    last = tree.state;
    if (json) continue;
    for (const job of allJobs(tree)) {
      if (said.get(job.id) !== job.state) io.err(stateLine(context, job));
      said.set(job.id, job.state);
    }
    for (const job of allJobs(tree)) {
      if (job.isTrigger || shown.has(job.id) || !hasBegun(job)) continue;
      shown.add(job.id);
      for await (const line of followEvents(api, `${jobPath(name.user, job.id)}/log`, hooks)) {
        if (line.event !== "end") io.out(`${safe((JSON.parse(line.data) as { text: string }).text)}\n`);
      }
    }
  }
  return last;
}

/** What `-f` ends with. A pipeline that waits for a person has not failed. */
export function exitCodeOfPipeline(state: PipelineState): number {
  return state === "failed" || state === "cancelled" ? exitCodes.failed : exitCodes.done;
}

function hasBegun({ state, startedAt }: PipelineJobView): boolean {
  if (state === "cancelled") return startedAt !== null;
  return ["running", "cancelling", "succeeded", "failed"].includes(state);
}

function stateLine({ paint }: CommandContext, job: PipelineJobView): string {
  const why = job.reason === null ? "" : `: ${safe(job.reason)}`;
  return `${safe(job.name)} ${paint(colourOf(job.state), job.state)}${why}\n`;
}

/** A job's own words without what plays with the terminal. */
export function safe(text: string): string {
  return stripVTControlCharacters(text)
    .split("\t")
    .map((part) => printable(part.replace(/\r/g, ""), Number.POSITIVE_INFINITY))
    .join("\t");
}
