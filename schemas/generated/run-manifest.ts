// Generated from schemas/documents/run-manifest.schema.json by scripts/generate-types.mjs; do not edit.

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

/**
 * Everything needed to do a run again.
 */
export interface RunManifestDocument {
  version: 1;
  id: string;
  user: string;
  twin: string;
  operation: string;
  cause:
    "state" | "restart" | "request" | "rerun" | "schedule" | "return-to-last-good" | "removal" | "preview";
  requestedBy?: string;
  rerunOf?: string;
  attempt: number;
  sourceKey: string;
  revision: string;
  own: Snapshot;
  /**
   * @maxItems 1000
   */
  shared?: Snapshot[];
  workspace: Workspace;
  image: {
    hash: string;
    id: string;
  };
  command: Operation;
  parameters?: Parameters;
  environment: {
    [k: string]: string;
  };
  /**
   * @maxItems 50
   */
  secrets?: Secret[];
  resources: Resources;
  createdAt: string;
  worktree?: true;
  copy?: Copy;
}
export interface Snapshot {
  project: string;
  commit: string;
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
export interface Parameters {
  [k: string]: Parameter;
}
export interface Secret {
  name: string;
  env: boolean;
}
export interface Resources {
  cpus: number;
  memoryBytes: number;
  pids: number;
  diskBytes?: number;
}
export interface Copy {
  base: string;
  digest: string;
  files: number;
  bytes: number;
}
