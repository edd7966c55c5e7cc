import type { ForgeEvent } from "./to-event.ts";

/** What we do about an event. */
export type Intent =
  /** `head`: what the default branch points to now, where the event says it. */
  | { kind: "reconcile"; project: string; head?: string }
  /** Look at a merge request, and at what was said about it. */
  | { kind: "review"; project: string; iid: number }
  /** Ask the host who may read shared repositories. */
  | { kind: "look-at-readers"; reason: string }
  /** Whoever follows the pipeline, or has a run for the job, asks the host now rather than a little later. */
  | { kind: "look-at-pipeline"; projectId: number; pipeline: number; job?: number; reason: string }
  | { kind: "none"; reason: string };

/**
 * Pure. An intent names whom to look at: the worker reads the truth from Git. The head only saves asking the host when the
 * truth is here already.
 */
export function toIntent(event: ForgeEvent): Intent {
  switch (event.kind) {
    case "pushed":
      if (event.isDefaultBranch === false)
        return { kind: "none", reason: `${event.branch} is not the default branch` };
      return {
        kind: "reconcile",
        project: event.projectPath,
        ...(event.after === undefined ? {} : { head: event.after }),
      };
    case "project-created":
    case "project-removed":
    case "project-moved":
      return { kind: "reconcile", project: event.projectPath };
    case "merge-request-changed":
    case "note-added":
      return { kind: "review", project: event.projectPath, iid: event.iid };
    case "members-changed":
      return {
        kind: "look-at-readers",
        reason: `members of ${event.of} changed: who may read what is asked again`,
      };
    case "pipeline-changed":
    case "job-changed":
      return {
        kind: "look-at-pipeline",
        projectId: event.projectId,
        pipeline: event.pipelineId,
        ...(event.kind === "job-changed" ? { job: event.jobId } : {}),
        reason: `pipeline ${event.pipelineId} is looked at`,
      };
    case "ignored":
      return { kind: "none", reason: event.reason };
  }
}
