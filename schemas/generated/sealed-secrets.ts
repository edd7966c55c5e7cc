// Generated from schemas/documents/sealed-secrets.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * The secrets of one twin, encrypted to the runner; written by the controller, opened by the runner.
 */
export interface SealedSecretsDocument {
  version: 1;
  user: string;
  project: string;
  twin: string;
  /**
   * @maxItems 200
   */
  secrets: {
    name: string;
    origin: "variable" | "file";
    version: string;
    recipient?: string;
    expiresAt?: string;
    sealedText: string;
  }[];
}
