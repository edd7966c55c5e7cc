// Generated from schemas/documents/run-request.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * @maxItems 5000
 */
export type Parameter =
  | string
  | number
  | boolean
  | Parameter[]
  | {
      [k: string]: Parameter;
    };

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
  parameters?: Parameters;
  scheduledFor?: string;
  worktree?: true;
  mayUseSecrets?: true;
}
export interface Parameters {
  [k: string]: Parameter;
}
