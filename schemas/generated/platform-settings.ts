// Generated from schemas/documents/platform-settings.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * What platform.yaml says to the runner; written by the controller.
 */
export interface PlatformSettingsDocument {
  version: 1;
  /**
   * @maxItems 1000
   */
  images?: string[];
  retention?: {
    runsMs?: number;
    logsMs?: number;
    imagesMs?: number;
  };
  defaults?: {
    workspace: Workspace;
    resources: Resources;
  };
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
export interface Resources {
  cpus: number;
  memoryBytes: number;
  pids: number;
  diskBytes?: number;
}
