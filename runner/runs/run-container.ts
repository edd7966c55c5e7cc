import { parameterVariables } from "#schemas/parameters";
import type { RunManifest } from "#schemas/run";
import type { ContainerSpec, LayerRef } from "../engine/engine.ts";

/** Where a run takes place, and what it is given beside what its manifest says. */
export interface RunPlace {
  name: string;
  network: string;
  layer: LayerRef;
  /** Host folder with its `parameters.json`. */
  runFolder: string;
  /** The restart key. */
  key: string;
  /** The previews that it belongs to. */
  preview?: string;
  environment?: Record<string, string>;
}

/** The container that a manifest asks for: the same for a live twin and for a preview of it. Pure. */
export function runContainer(manifest: RunManifest, place: RunPlace): ContainerSpec {
  const { user, twin, id: runId, operation, revision, parameters } = manifest;
  const { run, workingDir, graceMs } = manifest.command;
  const { name, network, layer, runFolder, key, preview } = place;
  return {
    ...{ name, network, layer, runFolder, graceMs },
    imageId: manifest.image.id,
    labels: {
      ...{ user, twin, operation, key, revision },
      run: runId,
      source: manifest.sourceKey,
      attempt: String(manifest.attempt),
      ...(preview === undefined ? {} : { preview }),
    },
    command: typeof run === "string" ? [`/workspace/digital_twins/${twin}/${run}`] : run,
    workingDir: `/workspace/${workingDir}`,
    environment: {
      ...manifest.environment,
      ...place.environment,
      ...parameterVariables(parameters),
      DT_PARAMETERS: "/run/dtaas/parameters.json",
      DT_USER: user,
      DT_NAME: twin,
      DT_REVISION: revision,
      DT_RUN_ID: runId,
      ...(manifest.worktree ? { DT_WORKTREE: "true" } : {}),
      ...(preview === undefined ? {} : { DT_PREVIEW: preview }),
    },
    resources: manifest.resources,
  };
}
