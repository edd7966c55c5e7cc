import type { Logger } from "#core/logger";
import type { CiJobOutcomeDocument } from "#schemas/generated/ci-job-outcome";
import type { WorkspaceImage } from "#schemas/twin-spec";
import type { CiContainers } from "../engine/ci-containers.ts";
import type { Engine } from "../engine/engine.ts";
import type { CiDoor } from "./ci-door.ts";

/** What jobs of pipelines are run with. */
export interface JobParts {
  engine: Engine;
  containers: CiContainers;
  door: CiDoor;
  logger: Logger;
  /** Where the forge puts jobs, and where is said what became of them. */
  folders: { jobs: string; runs: string };
  /** Builds the image of a template, or finds it. */
  buildImage(workspace: WorkspaceImage, signal: AbortSignal): Promise<{ id: string }>;
  /** Patterns of ready images that the platform allows. */
  allowedImages(): Promise<readonly string[]>;
}

export type JobEnding = Omit<CiJobOutcomeDocument, "version" | "id" | "startedAt">;
