// Generated from schemas/documents/gitlab-member-event.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * The fields of a GitLab system hook about a member of a project or group that we read.
 */
export interface GitlabMemberEvent {
  event_name:
    | "user_add_to_team"
    | "user_update_for_team"
    | "user_remove_from_team"
    | "user_add_to_group"
    | "user_update_for_group"
    | "user_remove_from_group";
  project_path_with_namespace?: string;
  group_path?: string;
  [k: string]: unknown;
}
