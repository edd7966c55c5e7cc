// Generated from schemas/documents/gitlab-job-event.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * The fields of a GitLab job event that we read.
 */
export interface GitlabJobEvent {
  object_kind: "build";
  build_id: number;
  pipeline_id: number;
  project_id: number;
  project: {
    id: number;
    path_with_namespace: string;
    [k: string]: unknown;
  };
  [k: string]: unknown;
}
