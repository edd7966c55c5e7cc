// Generated from schemas/documents/gitlab-project-event.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * The fields of a GitLab system hook about a project that we read.
 */
export interface GitlabProjectEvent {
  event_name: "project_create" | "project_destroy" | "project_rename" | "project_transfer" | "project_update";
  project_id: number;
  path_with_namespace: string;
  old_path_with_namespace?: string;
  [k: string]: unknown;
}
