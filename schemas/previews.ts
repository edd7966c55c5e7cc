import type { PinnedSnapshot } from "./desired-state.ts";
import type { Outcome } from "./run.ts";
import type { CompareSpec, OperationSpec, Parameters, Resources, WorkspaceImage } from "./twin-spec.ts";

/**
 * Names the previews of one merge request among those of a user: its number in the user's own project; `<project id>-<number>` for
 * one of a shared repository.
 */
export type PreviewId = string;

export const previewIdPattern = /^(?:[1-9][0-9]{0,15}-)?[1-9][0-9]{0,15}$/;

/** The previews of one merge request as they shall be. Written by the controller, replaced in one step, read by the runner. */
export interface WantedPreviews {
  version: 1;
  user: string;
  id: PreviewId;
  mergeRequest: { projectId: number; projectPath: string; iid: number };
  /** When they were asked for last. */
  wantedAt: string;
  twins: WantedPreview[];
  /** Twins of which there is no preview, and why. */
  refused: { name: string; commit: string; reason: string }[];
}

/**
 * One twin of a merge result, as far as a preview runs it. What a spec says beyond this (secrets, schedules, dependencies, health,
 * restarts, whatever the language gains) does not get here, and so never into a preview.
 */
export interface WantedPreview {
  name: string;
  commit: string;
  /** Counts how often it was asked for at this commit; another number is another preview. */
  attempt: number;
  wantedAt: string;
  ttlMs: number;
  /** How long an operation without a timeout may take. */
  durationMs: number;
  operations: (OperationSpec & { name: string })[];
  compare: CompareSpec[];
  sourceKey: string;
  own: PinnedSnapshot;
  /** What it sees at /workspace/common, beside the `common` folder of `own`; earlier ones first. */
  shared: PinnedSnapshot[];
  workspace: WorkspaceImage;
  parameters?: Parameters;
  environment: Record<string, string>;
  resources: Resources;
}

/** `done`: all operations counted; `failed`: one did not, or it cannot run; `expired`: its time is over. */
export type PreviewPhase = "waiting" | "building" | "running" | "done" | "failed" | "expired";

/** One preview as the runner has seen it: what it remembers, and what people are told. */
export interface ObservedPreview {
  name: string;
  commit: string;
  attempt: number;
  phase: PreviewPhase;
  /** When this phase began. */
  since: string;
  /** One sentence for people. */
  reason?: string;
  /** In the order of the operations. */
  runs: ObservedPreviewRun[];
}

export interface ObservedPreviewRun {
  operation: string;
  run: string;
  startedAt?: string;
  /** Set together with `outcome`, when it has ended. */
  finishedAt?: string;
  outcome?: Outcome;
  /** It ended well, or was stopped at the end of its time: the next operation may begin, and its outputs count. */
  counts?: boolean;
  exitCode?: number;
  reason?: string;
}

/** What the runner has done of the previews of one merge request. Gone together with the last trace of them. */
export interface ObservedPreviews {
  version: 1;
  user: string;
  id: PreviewId;
  observedAt: string;
  twins: ObservedPreview[];
  /** Snapshots that they still use. */
  needs: PinnedSnapshot[];
}

/** Nothing of it runs any more, or will. */
export function isOver({ phase }: Pick<ObservedPreview, "phase">): boolean {
  return phase === "done" || phase === "failed" || phase === "expired";
}
