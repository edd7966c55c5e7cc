// Generated from schemas/platform.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * A workspace template of this installation: a folder of templates/workspace/, such as `base` or `python`.
 */
export type Template = string;

/**
 * The installation itself: `platform.yaml` at the root of the platform repository.
 */
export interface Platform {
  /**
   * Version of the language: always `dtaas/v1`.
   */
  apiVersion: "dtaas/v1";
  /**
   * What this document is: always `Platform`.
   */
  kind: "Platform";
  /**
   * What this installation serves.
   */
  spec: {
    /**
     * Group on the Git host; each project `<group>/<username>` in it is a user's.
     */
    group: string;
    /**
     * Shared-asset repositories, earlier ones first: at /workspace/common their assets stand side by side, and of an asset that several have the earliest is seen. Each is readable by the members of its project. Default: none.
     *
     * @maxItems 100
     *
     * Items: One shared-asset repository.
     */
    shared?: {
      /**
       * Full path of the project.
       */
      project: string;
      /**
       * Groups on the Git host whose members may read the repository, too. Default: none.
       *
       * @maxItems 50
       *
       * Items: Full path of a group.
       */
      groups?: string[];
    }[];
    /**
     * What twins get when neither they nor their user's workspace.yaml say otherwise.
     */
    defaults?: {
      workspace?: WorkspaceImage;
      resources?: Resources;
    };
    /**
     * How long what is no longer needed is kept.
     */
    retention?: {
      /**
       * Runs that have ended, with manifest, log and outputs. Default: for ever. A whole number and a unit: ms, s, m, h or d; from 1h to 3650d.
       */
      runs?: string;
      /**
       * Logs of runs that have ended, and of image builds. Default: as long as the runs. A whole number and a unit: ms, s, m, h or d; from 1h to 3650d.
       */
      logs?: string;
      /**
       * Workspace images that no twin uses, counted from when they were built. Default: 14d. A whole number and a unit: ms, s, m, h or d; from 1h to 3650d.
       */
      images?: string;
    };
    /**
     * What users may use at most.
     */
    limits?: {
      /**
       * What the twins of one user may use together. A twin beyond it is refused; those that run longest run on.
       */
      perUser?: {
        /**
         * Twins with `state: running`. Default: no limit.
         */
        twins?: number;
        /**
         * Processor cores of all of them and of the operations that somebody has asked for. Default: no limit.
         */
        cpus?: number;
        /**
         * Memory of all of them and of the operations that somebody has asked for. Default: no limit. A whole number and a unit: Ki, Mi, Gi, Ti (1024) or k, M, G, T (1000); from 16Mi to 1024Ti.
         */
        memory?: string;
      };
      /**
       * Of one user's workspace. Who asks for more is refused.
       */
      workspace?: {
        /**
         * Workspaces of one user at most: 1, or 0 for none. Default: 1.
         */
        perUser?: number;
        /**
         * Processor cores at most. Default: no limit of its own.
         */
        cpus?: number;
        /**
         * Memory at most, such as 8Gi. Default: no limit of its own.
         */
        memory?: string;
        /**
         * Shared memory at most, such as 1Gi. Default: no limit of its own.
         */
        shm?: string;
        /**
         * Processes and threads at most. Default: no limit of its own.
         */
        pids?: number;
        /**
         * What its files may take at most, such as 20Gi; also what holds where workspace.yaml does not say. Default: no limit.
         */
        disk?: string;
      };
    };
    /**
     * What users may do.
     */
    policies?: {
      /**
       * Whose merge requests run previews. `members`: those of members of the project at once, those of others when a member asks. `nobody`: none. `everybody`: all of them at once, outsiders' too. Default: members.
       */
      twinsFromMergeRequests?: "members" | "nobody" | "everybody";
      /**
       * Which repositories on other hosts users may name in workspace.yaml.
       */
      remotes?: {
        /**
         * Only these hosts; `*.example.org` stands for every host below. An empty list allows none. Default: every host on the open internet.
         *
         * @maxItems 200
         *
         * Items: Name of a host; `*.` in front stands for every host below.
         */
        hosts?: string[];
        /**
         * Hosts, each with its port, that may have a private or loopback address; plain http is allowed there. Default: none.
         *
         * @maxItems 200
         *
         * Items: Name or address of a host, and a port.
         */
        private?: string[];
      };
      /**
       * Images that `image:` of a workspace.yaml may name; `*` stands for any characters. Default: none.
       *
       * @maxItems 100
       *
       * Items: Name of an image, `*` for any characters.
       */
      images?: string[];
    };
  };
}
/**
 * The image that twins run in. Giving a template replaces what a wider layer says, packages included; giving only packages keeps the inherited template.
 */
export interface WorkspaceImage {
  template?: Template;
  packages?: Packages;
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
/**
 * What one container may use at most. What is left out is inherited: from platform.yaml, then the built-in default.
 */
export interface Resources {
  /**
   * Processor cores, fractions allowed. Built-in default: 1.
   */
  cpus?: number;
  /**
   * Memory. Built-in default: 512Mi. A whole number and a unit: Ki, Mi, Gi, Ti (1024) or k, M, G, T (1000); from 16Mi to 1Ti.
   */
  memory?: string;
  /**
   * Processes and threads at the same time. Built-in default: 256.
   */
  pids?: number;
  /**
   * What a twin may write beside its repository, its `create` and former runs included. Measured every 10 seconds: who has more is ended, and runs nothing but `clean` until it has less. A whole number and a unit as for memory; from 1Mi to 16Ti. Default: no limit.
   */
  disk?: string;
}
