// Generated from schemas/documents/github-run-event.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * The fields of GitHub's events about a run of a workflow, or one of its jobs, that we read.
 */
export interface GithubRunEvent {
  action: string;
  repository: {
    id: number;
    full_name: string;
    [k: string]: unknown;
  };
  workflow_run?: {
    id: number;
    [k: string]: unknown;
  };
  workflow_job?: {
    id: number;
    run_id: number;
    [k: string]: unknown;
  };
  [k: string]: unknown;
}
