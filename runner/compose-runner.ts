import { mkdir } from "node:fs/promises";
import type { DataFolder } from "#core/data-folder";
import type { Logger } from "#core/logger";
import { logSetAside } from "#core/read-or-set-aside";
import { listWorkspaceTemplates } from "#templates/workspace-templates";
import { WorkTreeCopies } from "./copies/work-tree-copies.ts";
import type { Engine } from "./engine/engine.ts";
import type { RunnerMetrics } from "./metrics.ts";
import { Views } from "./mounts/views.ts";
import { readPlatformSettings } from "./retention/retention.ts";
import { LogCollector } from "./runs/collect-log.ts";
import { RunStore } from "./runs/run-store.ts";
import { RunSecrets } from "./secrets/run-secrets.ts";
import { loadRunnerKeys } from "./secrets/runner-key.ts";
import { SecretFolders, secretsFolderOf } from "./secrets/secret-folders.ts";
import { DesiredStore } from "./twins/desired-store.ts";
import { DiskUsage } from "./twins/disk-usage.ts";
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
  /** A folder in memory for the values of secrets. Default: one of this data folder's own in /dev/shm. */
  secretsFolder?: string | undefined;
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
    data.viewHolders,
  ]) {
    await mkdir(folder, { recursive: true });
  }
  const onSetAside = logSetAside(logger);
  const desired = new DesiredStore(data);
  const { privateKeys } = await loadRunnerKeys(data);
  const readers = engine.name === "process" ? "account" : "container";
  const root = parts.secretsFolder ?? secretsFolderOf(data);
  const secrets = new RunSecrets(data, new SecretFolders({ root, readers }), privateKeys);
  return {
    data,
    logger,
    metrics: parts.metrics,
    engine,
    desired,
    memory: new MemoryStore(data, onSetAside),
    runs: new RunStore(data, onSetAside),
    logs: new LogCollector(engine.containers, logger, (run, folder) => secrets.redactorOf(run, folder)),
    secrets,
    health: new HealthMonitor(engine.containers, wishes.nudge),
    disk: new DiskUsage(engine.layers),
    copies: await WorkTreeCopies.open({
      data,
      containers: engine.workspaces,
      desired: (user) => desired.get(user),
      defaults: async () => (await readPlatformSettings({ data }))?.defaults,
      templates: (await listWorkspaceTemplates()).map(({ name }) => name),
    }),
    views: new Views(data, { hostPaths: !engine.placesFolders, onSetAside }),
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
