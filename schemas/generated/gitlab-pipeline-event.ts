// Generated from schemas/documents/gitlab-pipeline-event.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * The fields of a GitLab pipeline event that we read.
 */
export interface GitlabPipelineEvent {
  object_kind: "pipeline";
  object_attributes: {
    id: number;
    [k: string]: unknown;
  };
  project: {
    id: number;
    path_with_namespace: string;
    [k: string]: unknown;
  };
  [k: string]: unknown;
}
