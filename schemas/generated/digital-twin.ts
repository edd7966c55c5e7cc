// Generated from schemas/digital-twin.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * A workspace template of this installation: a folder of templates/workspace/, such as `base` or `python`.
 */
export type Template = string;
/**
 * Text, a number, true or false, a list, or a mapping of further parameters.
 *
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
 * A cron expression of five fields (minute, hour, day of the month, month, day of the week), read in UTC; or a mapping with a time zone of one's own.
 */
export type Time =
  | string
  | {
      /**
       * A cron expression of five fields: minute, hour, day of the month, month, day of the week.
       */
      cron: string;
      /**
       * IANA name of the time zone in which the expression is read. Default: UTC.
       */
      timeZone?: string;
    };

/**
 * One digital twin: `digital_twins/<name>/dt.yaml`.
 */
export interface DigitalTwin {
  /**
   * Version of the language: always `dtaas/v1`.
   */
  apiVersion: "dtaas/v1";
  /**
   * What this document is: always `DigitalTwin`.
   */
  kind: "DigitalTwin";
  /**
   * What the twin is called.
   */
  metadata: {
    /**
     * Name of the twin; the same as its folder's.
     */
    name: string;
    /**
     * What people call it. Default: its name.
     */
    title?: string;
    /**
     * What it is, in a few sentences. Default: empty.
     */
    description?: string;
    /**
     * Words of your own to find and group twins by. Default: none.
     */
    labels?: {
      /**
       * Value of the label.
       */
      [k: string]: string;
    };
  };
  /**
   * What the twin needs and how it runs.
   */
  spec: {
    /**
     * How closely it is tied to a physical twin: `model` (not at all), `shadow` (reads it) or `twin` (reads it and acts on it). Decides the default of rollout.strategy. Default: `twin`, the careful one: two versions never run at once.
     */
    integrationLevel?: "model" | "shadow" | "twin";
    /**
     * `running`: the platform runs `create` once per revision and keeps `execute` up. `stopped`: operations run only when asked for. Default: stopped.
     */
    state?: "running" | "stopped";
    /**
     * true: the platform observes and reports, and changes nothing. Default: false.
     */
    suspend?: boolean;
    workspace?: WorkspaceImage;
    /**
     * Assets that must be there before the twin runs; a change of one restarts the twin. A path that begins with `common/` is looked up in the shared-asset repository. Default: none.
     *
     * @maxItems 200
     *
     * Items: One asset: its kind and its path.
     */
    assets?: {
      /**
       * A data file or folder.
       */
      data?: string;
      /**
       * A function.
       */
      function?: string;
      /**
       * A model.
       */
      model?: string;
      /**
       * A tool.
       */
      tool?: string;
      /**
       * Another digital twin, whose files this one uses.
       */
      "digital-twin"?: string;
    }[];
    parameters?: Parameters;
    /**
     * Environment variables of every operation. Numbers and booleans arrive as they are written here. Never put secrets in Git. Default: none.
     */
    environment?: {
      /**
       * Value of the variable.
       */
      [k: string]: string | number | boolean;
    };
    /**
     * Names of secrets, never values: a CI/CD variable of the project (or of a group around it) on the Git host, or the file `secrets/<name>.age`. Each is a file in `$DT_SECRETS` while an operation runs. One without a value is an error here. Default: none.
     *
     * @maxItems 50
     *
     * Items: Name of a secret, or its name and how it is given.
     */
    secrets?: (
      | string
      | {
          /**
           * Name of the secret.
           */
          name: string;
          /**
           * true: as an environment variable of this name, too; every process that the operation starts inherits it. Default: false.
           */
          env?: boolean;
        }
    )[];
    /**
     * Operations by name: explore, create, execute, save, analyse, evolve, terminate, clean, or your own. Default: one operation for each executable script in the twin's `lifecycle/` folder.
     */
    lifecycle?: {
      [k: string]: Operation;
    };
    /**
     * Twins that must be ready before this one starts: `twin` of the same user, or `user/twin`. Cycles are errors. Default: none.
     *
     * @maxItems 50
     *
     * Items: `twin` or `user/twin`.
     */
    dependsOn?: string[];
    /**
     * When a running twin counts as healthy: `http` or `exec`, one of the two. Default: a twin that has been up for three seconds is healthy.
     */
    health?: {
      /**
       * Healthy when a GET is answered with a status from 200 to 399.
       */
      http?: {
        /**
         * Port inside the container.
         */
        port: number;
        /**
         * Path to ask for. Default: /.
         */
        path?: string;
      };
      /**
       * Healthy when this command ends with 0 inside the container. A list: the program, then its arguments.
       *
       * @minItems 1
       * @maxItems 100
       *
       * Items: One argument, handed over as it stands: no shell takes it apart.
       */
      exec?: string[];
      /**
       * Time between two checks. Default: 5s. A whole number and a unit: ms, s, m, h or d; from 500ms to 1h.
       */
      interval?: string;
      /**
       * A check that takes longer has failed. Default: 2s. A whole number and a unit: ms, s, m, h or d; from 100ms to 5m.
       */
      timeout?: string;
      /**
       * Failed checks in a row after which the twin counts as unhealthy. Default: 3.
       */
      retries?: number;
    };
    /**
     * What happens when `execute` ends by itself.
     */
    restart?: {
      /**
       * `always`, `on-failure` (any exit code but 0) or `never`. Default: on-failure.
       */
      policy?: "always" | "on-failure" | "never";
      /**
       * Restarts in a row before the platform gives up. Default: 5.
       */
      maxRetries?: number;
      /**
       * Wait before the first restart; doubled for each further one. Default: 2s. A whole number and a unit: ms, s, m, h or d; from 100ms to 1h.
       */
      backoff?: string;
    };
    /**
     * How a new revision takes over from the one that runs.
     */
    rollout?: {
      /**
       * `replace`: stop the old one, start the new one, and start the old one again when the new one is not healthy in time. `parallel`: start the new one beside the old one and switch when it is healthy. Default: replace for integrationLevel `twin`, parallel for `model` and `shadow`.
       */
      strategy?: "replace" | "parallel";
      /**
       * A new revision that is not healthy by then goes back to the last good one. Default: 60s. A whole number and a unit: ms, s, m, h or d; from 1s to 24h.
       */
      timeout?: string;
    };
    resources?: Resources;
    /**
     * Operations that the platform runs by itself, each at the times of a cron expression. A time that comes while the operation still runs, or while the twin is suspended, is skipped. Default: none.
     */
    schedule?: {
      [k: string]: Time;
    };
    /**
     * What a merge request runs beside the live twin, and which numbers stand side by side. It has no neighbours, no way out of the machine, no secrets. Default: no preview.
     */
    preview?: {
      /**
       * Operations of the merge result that are run, one after the other. Default: `create` and `execute`, those that the twin has.
       *
       * @minItems 1
       * @maxItems 10
       *
       * Items: Name of an operation.
       */
      operations?: string[];
      /**
       * An operation without `timeout`, as `execute` by default, is stopped after this; its outputs count then. Default: 5m. A whole number and a unit: ms, s, m, h or d; from 1s to 24h.
       */
      duration?: string;
      /**
       * After this, counted from when it was asked for, the preview and what it has kept are removed; its numbers stay until the merge request is merged or closed. Default: 1h. A whole number and a unit: ms, s, m, h or d; from 1m to 7d.
       */
      ttl?: string;
      /**
       * Columns of CSV files whose numbers are set beside those of the live twin's last successful run of the same operation. Default: none.
       *
       * @maxItems 20
       *
       * Items: One column.
       */
      compare?: {
        /**
         * A CSV file with a heading line, from the root of the repository, that `outputs` of one of these operations keeps.
         */
        file: string;
        /**
         * Heading of the column.
         */
        column: string;
        /**
         * Largest difference in any row that still passes, in the unit of the column. Default: 0.
         */
        tolerance?: number;
      }[];
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
 * Values that the twin's scripts read: the file that `DT_PARAMETERS` names, and `DT_PARAM_<name>` in the environment. A run may be given others. Default: none.
 */
export interface Parameters {
  [k: string]: Parameter;
}
/**
 * One operation.
 */
export interface Operation {
  /**
   * A script in the twin's folder (`lifecycle/create`), or a command with its arguments as a list (`[python3, main.py]`).
   *
   * @minItems 1
   * @maxItems 100
   */
  run: string | string[];
  /**
   * After this the operation is stopped and counts as timed out. Default: 1h, and no limit for `execute`. A whole number and a unit: ms, s, m, h or d; from 1s to 24d.
   */
  timeout?: string;
  /**
   * Folder the operation starts in, from the root of the repository. Default: the twin's folder.
   */
  workingDir?: string;
  /**
   * Time between the polite stop signal and the forced one. Default: 10s. A whole number and a unit: ms, s, m, h or d; from 0s to 10m.
   */
  grace?: string;
  /**
   * Files and folders, from the root of the repository, that are kept with the run. Default: none.
   *
   * @maxItems 50
   *
   * Items: A file or folder; not below `common/`, which is read-only.
   */
  outputs?: string[];
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
