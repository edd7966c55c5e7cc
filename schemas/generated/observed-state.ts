// Generated from schemas/documents/observed-state.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * What the runner observed for one user.
 */
export interface ObservedStateDocument {
  version: 1;
  user: string;
  generation: number;
  observedAt: string;
  /**
   * @maxItems 2000
   */
  twins: {
    name: string;
    phase:
      | "pending"
      | "waiting"
      | "building"
      | "creating"
      | "starting"
      | "live"
      | "completed"
      | "ready"
      | "restarting"
      | "stopping"
      | "unknown"
      | "failed"
      | "refused";
    since: string;
    revision?: string;
    sourceKey?: string;
    runId?: string;
    containerId?: string;
    image?: string;
    restarts: number;
    reason?: string;
    returnedFrom?: {
      revision: string;
      reason: string;
    };
    /**
     * @maxItems 50
     */
    waitingFor?: string[];
  }[];
  needs: {
    project: string;
    commit: string;
  }[];
}
