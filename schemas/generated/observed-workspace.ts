// Generated from schemas/documents/observed-workspace.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * What the runner sees of one user's workspace.
 */
export interface ObservedWorkspaceDocument {
  version: 1;
  user: string;
  generation: number;
  session: number;
  observedAt: string;
  state:
    "queued" | "pulling" | "building" | "creating" | "starting" | "ready" | "failed" | "stopping" | "stopped";
  since: string;
  reason?: string;
  /**
   * @maxItems 100
   */
  stages: {
    name:
      | "queued"
      | "pulling"
      | "building"
      | "creating"
      | "starting"
      | "ready"
      | "failed"
      | "stopping"
      | "stopped";
    startedAt: string;
    finishedAt?: string;
  }[];
  imageHash?: string;
  imageId?: string;
  behind?: string;
  containerId?: string;
  port?: number;
  /**
   * @maxItems 50
   */
  services: {
    name: string;
    title: string;
    path: string;
  }[];
  workTree?: {
    checkedAt: string;
    problem?: string;
    branch?: string;
    commit?: string;
    ahead?: number;
    behind?: number;
    /**
     * @maxItems 50
     */
    changed: string[];
  };
  lastActiveAt?: string;
  stopsIdleAt?: string;
  disk?: {
    usedBytes: number;
    limitBytes?: number;
  };
}
