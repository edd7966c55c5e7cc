import type { PreviewContainers } from "../engine/engine.ts";
import type { Runner } from "../twins/runner.ts";
import type { PreviewFiles } from "./preview-files.ts";

/** What the steps of previews work with. */
export interface PreviewParts {
  runner: Runner;
  files: PreviewFiles;
  previews: PreviewContainers;
  /** Ask for a user's previews to be looked at again. */
  nudge(user: string): void;
}
