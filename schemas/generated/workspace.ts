// Generated from schemas/workspace.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * A workspace template of this installation: a folder of templates/workspace/, such as `base` or `python`.
 */
export type Template = string;

/**
 * One user's workspace, and the image that the user's twins run in: `workspace.yaml` at the root of the user's repository.
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
   * The user's workspace. Template and packages also are the image of the user's twins, and `shared` is what they see, unless a twin says otherwise.
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
    /**
     * A ready image for the workspace, instead of a template, where `policies.images` of platform.yaml allows it. The user's twins do not inherit it.
     */
    image?: string;
    /**
     * When the workspace is stopped by itself.
     */
    idle?: {
      /**
       * Stopped after this long without work of its processor; what is in it stays. Default: never. A whole number and a unit: s, m, h or d; from 10s to 30d.
       */
      stopAfter?: string;
    };
    /**
     * What the workspace may use at most, within `limits.workspace` of platform.yaml.
     */
    resources?: {
      /**
       * Processor cores, fractions allowed. Default: 2.
       */
      cpus?: number;
      /**
       * Memory. Default: 4Gi. A whole number and a unit: Ki, Mi, Gi, Ti (1024) or k, M, G, T (1000); from 64Mi to 1Ti.
       */
      memory?: string;
      /**
       * Shared memory at /dev/shm, part of the memory. Default: 512Mi. Written as `memory`; from 1Mi to 1Ti.
       */
      shm?: string;
      /**
       * Processes and threads at the same time. Default: 4960.
       */
      pids?: number;
      /**
       * What its files may take, work tree and home together. Default: `limits.workspace.disk` of platform.yaml, else no limit. Written as `memory`; from 16Mi to 16Ti.
       */
      disk?: string;
    };
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
