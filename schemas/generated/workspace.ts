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
   * What this user's twins run in and see, unless a twin says otherwise.
   */
  spec: {
    template?: Template;
    packages?: Packages;
    /**
     * Repositories on other Git hosts, whose commits are brought here or which get the commits from here. Default: none.
     *
     * @maxItems 20
     *
     * Items: One repository on another Git host.
     */
    remotes?: {
      /**
       * What it is called here; each name once.
       */
      name: string;
      /**
       * Its address for `git clone` over https; http only for hosts that the platform allows on its own network. No user name and no password in it.
       */
      url: string;
      /**
       * `pull`: its commits are merged into the default branch here. `push`: the default branch here is pushed there.
       */
      direction: "pull" | "push";
      /**
       * Time between two attempts; 1m to 30d. Default: 1h.
       */
      every?: string;
      /**
       * Branch over there. Default: for pull its default branch, for push the name of the default branch here.
       */
      branch?: string;
      /**
       * Name of a CI/CD variable of this project that holds a token, or `user:token`. Default: none.
       */
      credentials?: string;
    }[];
    /**
     * Shared-asset repositories beyond the platform's, in order of precedence, behind the platform's. Each must be one that this user is a member of, with the right to see code. Default: none.
     *
     * @maxItems 50
     *
     * Items: Full path of the project.
     */
    shared?: string[];
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
