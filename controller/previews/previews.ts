/** Preview twins: the merge result of a merge request, run beside the live twin. */
export interface Previews {
  /**
   * Makes those of one merge request as wanted, replacing those of an older commit. May be said again: the same wish
   * changes nothing. `ActionNeededError` where it cannot be done however often it is asked: `PREVIEWS_OFF`,
   * `NO_PREVIEW_THERE` (no such project or twin), `TOO_MANY_PREVIEWS`.
   */
  want(wanted: PreviewsWanted): Promise<void>;
  /** Removes all of one merge request; none there is fine. */
  remove(of: MergeRequestRef): Promise<void>;
  /** What is known of them now, by twin. Nothing for a merge request that has none. */
  states(of: MergeRequestRef): Promise<PreviewState[]>;
}

export interface MergeRequestRef {
  projectId: number;
  projectPath: string;
  iid: number;
}

export interface PreviewsWanted extends MergeRequestRef {
  /** The merge result (or the head where there is none), already in the mirror. */
  commit: string;
  /**
   * Only these; default: all that changed and have `preview:`. In a merge request of a shared repository twins are named
   * `user/twin`, and without names there are none: whoever asks must be allowed to run that user's twins.
   */
  twins?: readonly string[];
  /** Run what has ended once more, although the commit is the same. */
  again?: boolean;
}

export interface PreviewState {
  /** `user/twin` in a merge request of a shared repository. */
  twin: string;
  commit: string;
  phase: PreviewPhase;
  reason?: string;
  runs: PreviewRun[];
  comparisons: Comparison[];
}

export type PreviewPhase = "waiting" | "building" | "running" | "done" | "failed" | "expired";

/** One operation of a preview, in the order in which they run. */
export interface PreviewRun {
  operation: string;
  run: string;
  exitCode: number | undefined;
  durationMs: number | undefined;
}

/** One `preview.compare` entry: numbers of the preview beside those of the live twin's last run. */
export interface Comparison {
  file: string;
  column: string;
  tolerance: number;
  verdict: "pass" | "fail" | "cannot-compare";
  reason?: string;
  rows: number;
  maxDifference?: number;
  /** Row of the largest difference, the first after the heading being 1. */
  atRow?: number;
  meanDifference?: number;
  /** At most 60 points of each, evenly taken, for a small plot. */
  live: number[];
  preview: number[];
}
