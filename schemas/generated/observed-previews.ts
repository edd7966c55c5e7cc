// Generated from schemas/documents/observed-previews.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * What the runner has done of the previews of one merge request.
 */
export interface ObservedPreviewsDocument {
  version: 1;
  user: string;
  id: string;
  observedAt: string;
  /**
   * @maxItems 50
   */
  twins: {
    name: string;
    commit: string;
    attempt: number;
    phase: "waiting" | "building" | "running" | "done" | "failed" | "expired";
    since: string;
    startedAt?: string;
    reason?: string;
    /**
     * @maxItems 10
     */
    runs: {
      operation: string;
      run: string;
      startedAt?: string;
      finishedAt?: string;
      outcome?: "succeeded" | "failed" | "timed-out" | "cancelled" | "stopped" | "lost";
      counts?: boolean;
      exitCode?: number;
      reason?: string;
    }[];
  }[];
  /**
   * @maxItems 1000
   */
  needs: {
    project: string;
    commit: string;
  }[];
}
