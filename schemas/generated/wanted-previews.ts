// Generated from schemas/documents/wanted-previews.schema.json by scripts/generate-types.mjs; do not edit.

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
 * The previews of one merge request; written by the controller, read by the runner.
 */
export interface WantedPreviewsDocument {
  version: 1;
  user: string;
  id: string;
  mergeRequest: {
    projectId: number;
    projectPath: string;
    iid: number;
  };
  wantedAt: string;
  /**
   * @maxItems 50
   */
  twins: Twin[];
  /**
   * @maxItems 50
   */
  refused: {
    name: string;
    commit: string;
    reason: string;
  }[];
}
export interface Twin {
  name: string;
  commit: string;
  attempt: number;
  wantedAt: string;
  ttlMs: number;
  durationMs: number;
  /**
   * @maxItems 10
   */
  operations: Operation[];
  /**
   * @maxItems 20
   */
  compare: {
    file: string;
    column: string;
    tolerance: number;
  }[];
  sourceKey: string;
  own: Snapshot;
  /**
   * @maxItems 1000
   */
  shared: Snapshot[];
  workspace: Workspace;
  parameters?: Parameters;
  environment: {
    [k: string]: string;
  };
  resources: Resources;
}
export interface Operation {
  name: string;
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
export interface Parameters {
  [k: string]: Parameter;
}
export interface Resources {
  cpus: number;
  memoryBytes: number;
  pids: number;
  diskBytes?: number;
}
