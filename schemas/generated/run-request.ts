// Generated from schemas/documents/run-request.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * One accepted wish to run an operation.
 */
export interface RunRequestDocument {
  version: 1;
  runId: string;
  user: string;
  twin: string;
  operation: string;
  requestedBy: string;
  requestedAt: string;
  rerunOf?: string;
}
