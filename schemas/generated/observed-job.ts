// Generated from schemas/documents/observed-job.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * Nudge: tell the Git host what was observed for one user.
 */
export interface ObservedJobDocument {
  user: string;
}
