// Generated from schemas/workspace.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * A workspace template of this installation: a folder of templates/workspace/, such as `base` or `python`.
 */
export type Template = string;

/**
 * Defaults of one user: `workspace.yaml` at the root of the user's repository.
 */
export interface Workspace {
  /**
   * Version of the language: always `dtaas/v1`.
   */
  apiVersion: "dtaas/v1";
  /**
   * What this document is: always `Workspace`.
   */
  kind: "Workspace";
  /**
   * The image that this user's twins run in, unless a twin says otherwise.
   */
  spec: {
    template?: Template;
    packages?: Packages;
  };
}
/**
 * What is installed on top of the template. Options, URLs and files are refused.
 */
export interface Packages {
  /**
   * Debian packages, each with an optional `=version`. Default: none.
   *
   * @maxItems 200
   *
   * Items: Name of a Debian package, optionally with `=version`.
   */
  apt?: string[];
  /**
   * Python packages, each with optional extras and an optional `==version`. Default: none.
   *
   * @maxItems 200
   *
   * Items: Name of a Python package, optionally with `[extras]` and `==version`.
   */
  pip?: string[];
}
