// Generated from schemas/documents/library-changes.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * Changes of files in a repository, made in one commit or not at all.
 */
export interface LibraryChangesDocument {
  /**
   * Of the commit. Default: made from the files.
   */
  message?: string;
  /**
   * The commit that was looked at. A file that is not as it was there is a conflict.
   */
  baseCommit?: string;
  /**
   * Without baseCommit: files that are there already may be replaced. Default: false.
   */
  replace?: boolean;
  /**
   * @minItems 1
   * @maxItems 2000
   */
  changes: (
    | {
        action: "write";
        path: string;
        content: string;
        encoding?: "text" | "base64";
        executable?: boolean;
      }
    | {
        action: "delete";
        path: string;
      }
    | {
        action: "move";
        from: string;
        to: string;
      }
    | {
        action: "copy";
        repository: string;
        commit?: string;
        from: string;
        to: string;
      }
  )[];
}
