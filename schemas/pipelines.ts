/**
 * Where a pipeline or one of its jobs stands.
 * - `waiting`: for a runner, a resource, or what comes before; `manual`: for a person; `delayed`: for its time;
 * - `cancelling`: its end was asked for and has not come; the last four are ends.
 */
export type PipelineState =
  | "waiting"
  | "manual"
  | "delayed"
  | "running"
  | "cancelling"
  | "succeeded"
  | "failed"
  | "cancelled"
  | "skipped";

/** True for a state that is left only when somebody asks for it. */
export function isEnd(state: PipelineState): boolean {
  return ["succeeded", "failed", "cancelled", "skipped"].includes(state);
}

/** A pipeline of a user's project on the Git host, as the API tells it. */
export interface PipelineView {
  id: number;
  user: string;
  ref: string;
  commit: string;
  state: PipelineState;
  /** What made it, in the host's words: push, web, api, schedule, parent_pipeline ... */
  source: string;
  createdAt: string;
  webUrl: string;
}

/** With its jobs, and with the pipelines that these have triggered. */
export interface PipelineTree extends PipelineView {
  startedAt: string | null;
  finishedAt: string | null;
  startedBy: string | null;
  /** What is wrong with the file it was made from. */
  problem: string | null;
  jobs: PipelineJobView[];
}

export interface PipelineJobView {
  id: number;
  name: string;
  stage: string;
  state: PipelineState;
  /** Its failure does not fail the pipeline. */
  allowFailure: boolean;
  startedAt: string | null;
  finishedAt: string | null;
  /** Why it failed, in the host's words. */
  reason: string | null;
  webUrl: string;
  /** It triggers a pipeline rather than printing a log. */
  isTrigger: boolean;
  /** The pipeline it has triggered, where that is in the same project. */
  downstream: PipelineTree | null;
}

/** The jobs of a pipeline and of those it has triggered, outer ones first. */
export function allJobs(tree: PipelineTree): PipelineJobView[] {
  return [...tree.jobs, ...tree.jobs.flatMap(({ downstream }) => (downstream ? allJobs(downstream) : []))];
}

/** Nothing of it will go on by itself, what it has triggered included. */
export function isOver(tree: PipelineTree): boolean {
  return isEnd(tree.state) && tree.jobs.every(({ downstream }) => !downstream || isOver(downstream));
}
