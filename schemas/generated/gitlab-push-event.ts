// Generated from schemas/documents/gitlab-push-event.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * The fields of a GitLab push event that we read.
 */
export interface GitlabPushEvent {
  object_kind: "push";
  project: {
    id: number;
    path_with_namespace: string;
    default_branch?: string | null;
    [k: string]: unknown;
  };
  project_id: number;
  ref: string;
  before: string;
  after: string;
  checkout_sha?: string | null;
  user_username?: string;
  [k: string]: unknown;
}
