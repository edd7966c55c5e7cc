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
}
