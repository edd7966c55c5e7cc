// Generated from schemas/documents/desired-state.schema.json by scripts/generate-types.mjs; do not edit.

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
export type ProjectPath = string;

/**
 * What one user's repository asks for; written by the controller, read by the runner.
 */
export interface DesiredStateDocument {
  version: 1;
  user: string;
  generation: number;
  writtenAt: string;
  project: {
    id: number;
    path: string;
  };
  revision: string;
  limits?: {
    twins?: number;
    cpus?: number;
    memoryBytes?: number;
  };
  /**
   * @maxItems 1000
   */
  twins: {
    name: string;
    metadata: Metadata;
    derived: boolean;
    state: "running" | "stopped";
    suspend: boolean;
    schedule?: {
      [k: string]: {
        cron: string;
        timeZone: string;
      };
    };
    spec: Spec;
    sourceKey: string;
    revision: string;
    secretsVersion?: string;
    own: Snapshot;
    /**
     * @maxItems 1000
     */
    shared?: Snapshot[];
    /**
     * @maxItems 1000
     */
    assetsFrom?: ProjectPath[];
    withheld?: {
      reason: string;
    };
    admittedAt?: string;
    overLimit?: string;
    brokenSince?: {
      revision: string;
      /**
       * @maxItems 1000
       */
      diagnostics: Diagnostic[];
    };
  }[];
  /**
   * @maxItems 1000
   */
  problems?: Diagnostic[];
  /**
   * @maxItems 1000
   */
  refused: {
    name: string;
    revision: string;
    /**
     * @maxItems 1000
     */
    diagnostics: Diagnostic[];
  }[];
  view?: {
    /**
     * @maxItems 1001
     */
    sources: {
      project: ProjectPath;
      commit: string;
      folder?: "common";
    }[];
    /**
     * @maxItems 200000
     */
    assets: {
      path: string;
      id: string;
      from: number;
    }[];
    /**
     * @maxItems 200000
     */
    hidden: {
      path: string;
      from: number;
      behind: number;
    }[];
    /**
     * @maxItems 1000
     */
    problems: {
      project: ProjectPath;
      reason: string;
    }[];
  };
}
export interface Metadata {
  name: string;
  title: string;
  description: string;
  labels: {
    [k: string]: string;
  };
}
export interface Spec {
  integrationLevel: "model" | "shadow" | "twin";
  workspace: Workspace;
  /**
   * @maxItems 200
   */
  assets: Asset[];
  parameters?: Parameters;
  environment: {
    [k: string]: string;
  };
  /**
   * @maxItems 50
   */
  secrets?: Secret[];
  lifecycle: {
    [k: string]: Operation;
  };
  /**
   * @maxItems 50
   */
  dependsOn: string[];
  health?: Health;
  restart: Restart;
  rollout: Rollout;
  resources: Resources;
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
export interface Asset {
  kind: "data" | "function" | "model" | "tool" | "digital-twin";
  path: string;
}
export interface Parameters {
  [k: string]: Parameter;
}
export interface Secret {
  name: string;
  env: boolean;
}
export interface Operation {
  /**
   * @minItems 1
   * @maxItems 100
   */
  run: string | string[];
  workingDir: string;
  timeoutMs?: number;
  graceMs: number;
  /**
   * @maxItems 50
   */
  outputs: string[];
}
export interface Health {
  http?: {
    port: number;
    path: string;
  };
  /**
   * @minItems 1
   * @maxItems 100
   */
  exec?: string[];
  intervalMs: number;
  timeoutMs: number;
  retries: number;
}
export interface Restart {
  policy: "always" | "on-failure" | "never";
  maxRetries: number;
  backoffMs: number;
}
export interface Rollout {
  strategy: "replace" | "parallel";
  timeoutMs: number;
}
export interface Resources {
  cpus: number;
  memoryBytes: number;
  pids: number;
  diskBytes?: number;
}
export interface Snapshot {
  project: string;
  commit: string;
}
export interface Diagnostic {
  code: string;
  severity: "error" | "warning";
  file: string;
  line: number;
  column: number;
  message: string;
  hint?: string;
  mend?: {
    from: string;
    to: string;
  };
}
