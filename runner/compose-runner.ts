import { mkdir } from "node:fs/promises";
import type { DataFolder } from "#core/data-folder";
import type { Logger } from "#core/logger";
import { logSetAside } from "#core/read-or-set-aside";
import { redactSecrets } from "#core/redaction";
import type { Engine } from "./engine/engine.ts";
import type { RunnerMetrics } from "./metrics.ts";
import { LogCollector } from "./runs/collect-log.ts";
import { RunStore } from "./runs/run-store.ts";
import { DesiredStore } from "./twins/desired-store.ts";
import { EngineOutage } from "./twins/engine-outage.ts";
import { HealthMonitor } from "./twins/health-monitor.ts";
import { ImageShelf, type RenderWorkspace } from "./twins/image-shelf.ts";
import { KnownLayers } from "./twins/known-layers.ts";
import { MemoryStore } from "./twins/memory-store.ts";
import { PublishedStates } from "./twins/published-states.ts";
import type { Runner } from "./twins/runner.ts";

export interface RunnerParts {
  data: DataFolder;
  engine: Engine;
  logger: Logger;
  metrics: RunnerMetrics;
  render: RenderWorkspace;
}

/** What the runner works with, over one data folder and one engine. Nothing is started. */
export async function composeRunner(
  parts: RunnerParts,
  wishes: Pick<Runner, "nudge" | "wakeAt" | "requestBuild" | "tellController">,
): Promise<Runner> {
  const { data, engine, logger } = parts;
  for (const folder of [
    data.observed,
    data.runs,
    data.memory,
    data.layers,
    data.builds,
    data.requests,
    data.desired,
  ]) {
    await mkdir(folder, { recursive: true });
  }
  const onSetAside = logSetAside(logger);
  return {
    data,
    logger,
    metrics: parts.metrics,
    engine,
    desired: new DesiredStore(data),
    memory: new MemoryStore(data, onSetAside),
    runs: new RunStore(data, onSetAside),
    logs: new LogCollector(engine.containers, logger, redactSecrets),
    health: new HealthMonitor(engine.containers, wishes.nudge),
    images: new ImageShelf(engine.images, data, parts.render),
    layers: new KnownLayers(engine.layers),
    published: await PublishedStates.open(data, onSetAside),
    outage: new EngineOutage(),
    stopping: new Set(),
    starting: new Set(),
    seen: new Map(),
    ...wishes,
  };
}
