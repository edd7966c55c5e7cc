// Generated from schemas/documents/run-outcome.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * How a run ended.
 */
export interface RunOutcomeDocument {
  outcome: "succeeded" | "failed" | "timed-out" | "cancelled" | "stopped" | "lost";
  exitCode?: number;
  outOfMemory?: boolean;
  reason?: string;
  startedAt?: string;
  finishedAt: string;
  /**
   * @maxItems 100
   */
  stages: Stage[];
  /**
   * @maxItems 100000
   */
  outputs: {
    path: string;
    bytes: number;
  }[];
  logTruncated: boolean;
}
export interface Stage {
  name: string;
  startedAt: string;
  finishedAt?: string;
}
