// Generated from schemas/documents/build-job.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * Nudge: build one workspace image.
 */
export interface BuildJobDocument {
  hash: string;
  workspace: Workspace;
}
export interface Workspace {
  template: string;
  packages: Packages;
}
export interface Packages {
  /**
   * @maxItems 200
   */
  apt: string[];
  /**
   * @maxItems 200
   */
  pip: string[];
}
