// Generated from schemas/documents/gitlab-merge-request-event.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * The fields of a GitLab merge request event that we read.
 */
export interface GitlabMergeRequestEvent {
  object_kind: "merge_request";
  project: {
    id: number;
    path_with_namespace: string;
    [k: string]: unknown;
  };
  object_attributes: {
    iid: number;
    target_project_id: number;
    action?: string;
    [k: string]: unknown;
  };
  [k: string]: unknown;
}
