// Generated from schemas/documents/project-job.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * Nudge: bring one project up to its head.
 */
export interface ProjectJobDocument {
  project: string;
}
