// Generated from schemas/documents/platform-settings.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * What platform.yaml says to the runner; written by the controller.
 */
export interface PlatformSettingsDocument {
  version: 1;
  retention?: {
    runsMs?: number;
    logsMs?: number;
    imagesMs?: number;
  };
}
