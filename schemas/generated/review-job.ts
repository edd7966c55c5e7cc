// Generated from schemas/documents/review-job.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * Nudge: look at one merge request.
 */
export interface ReviewJobDocument {
  project: string;
  iid: number;
}
