// Generated from schemas/documents/ci-job-outcome.schema.json by scripts/generate-types.mjs; do not edit.

export type Time = string;

/**
 * What the runner says of one job of a pipeline: that it runs, or how it ended.
 */
export interface CiJobOutcomeDocument {
  version: 1;
  id: number;
  state: "running" | "success" | "failed" | "canceled";
  startedAt: Time;
  finishedAt?: Time;
  exitCode?: number;
  failureReason?: "script_failure" | "runner_system_failure" | "job_execution_timeout" | "image_pull_failure";
  /**
   * While it runs: what a runner that begins anew goes on with.
   */
  containerId?: string;
  dotenv?: {
    [k: string]: string;
  };
  /**
   * Of artifacts.tar beside it.
   */
  artifactBytes?: number;
}
