// Generated from schemas/documents/secret-envelope.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * The plain text inside a sealed secret: the value, and where and until when it counts.
 */
export interface SecretEnvelopeDocument {
  version: 1;
  project: string;
  twin: string | null;
  name: string;
  expiresAt: string;
  kind: "variable" | "file";
  value: string;
}
