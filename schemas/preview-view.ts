import type { PreviewPhase } from "./previews.ts";
import type { Outcome } from "./run.ts";

// What the REST API answers about previews; the OpenAPI document of the controller describes the same shapes.

/** The previews of one merge request, of one user's twins. */
export interface PreviewsView {
  user: string;
  /** The merge request's number in the user's own project; `<project id>-<number>` for one of a shared repository. */
  id: string;
  /** Full path of the project that the merge request belongs to, and its number there. */
  project: string;
  iid: number;
  /** When they were asked for last. */
  wantedAt: string;
  twins: PreviewView[];
}

export interface PreviewView {
  twin: string;
  commit: string;
  phase: PreviewPhase;
  /** When this phase began; `null` before the runner has looked. */
  since: string | null;
  reason: string | null;
  /** The end of its time; `null` for one that cannot be. */
  expiresAt: string | null;
  runs: PreviewRunView[];
  comparisons: ComparisonView[];
}

export interface PreviewRunView {
  operation: string;
  run: string;
  startedAt: string | null;
  finishedAt: string | null;
  durationMs: number | null;
  outcome: Outcome | null;
  exitCode: number | null;
  reason: string | null;
}

export interface ComparisonView {
  file: string;
  column: string;
  tolerance: number;
  verdict: "pass" | "fail" | "cannot-compare";
  reason: string | null;
  rows: number;
  maxDifference: number | null;
  /** Row of the largest difference, the first after the heading being 1. */
  atRow: number | null;
  meanDifference: number | null;
  /** At most 60 points each, evenly taken; none in lists. */
  live: number[];
  preview: number[];
}

/** A preview has gone from one phase to another. */
export interface PreviewChange {
  user: string;
  id: string;
  twin: string;
  /** `null` for one that was not there before. */
  from: PreviewPhase | null;
  /** `null`: it is gone. */
  phase: PreviewPhase | null;
  reason: string | null;
}
