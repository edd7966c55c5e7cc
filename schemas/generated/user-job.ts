// Generated from schemas/documents/user-job.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * Nudge: make what is what one user asks for.
 */
export interface UserJobDocument {
  user: string;
}
