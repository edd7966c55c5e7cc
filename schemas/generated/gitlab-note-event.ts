// Generated from schemas/documents/gitlab-note-event.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * The fields of a GitLab note event that we read. What was said is read from the host.
 */
export interface GitlabNoteEvent {
  object_kind: "note";
  project: {
    id: number;
    path_with_namespace: string;
    [k: string]: unknown;
  };
  object_attributes: {
    noteable_type: string;
    [k: string]: unknown;
  };
  merge_request?: {
    iid: number;
    target_project_id: number;
    [k: string]: unknown;
  };
  [k: string]: unknown;
}
