import type { DataFolder } from "#core/data-folder";
import type { Logger } from "#core/logger";
import type { WorkTreeCopies } from "../copies/work-tree-copies.ts";
import type { Engine } from "../engine/engine.ts";
import type { RunnerMetrics } from "../metrics.ts";
import type { Views } from "../mounts/views.ts";
import type { LogCollector } from "../runs/collect-log.ts";
import type { RunStore } from "../runs/run-store.ts";
import type { RunSecrets } from "../secrets/run-secrets.ts";
import type { DesiredStore } from "./desired-store.ts";
import type { DiskUsage } from "./disk-usage.ts";
import type { EngineOutage } from "./engine-outage.ts";
import type { HealthMonitor } from "./health-monitor.ts";
import type { ImageShelf } from "./image-shelf.ts";
import type { KnownLayers } from "./known-layers.ts";
import type { MemoryStore } from "./memory-store.ts";
import type { PublishedStates } from "./published-states.ts";

/** What the steps of this process work with; put together in `runner/main.ts`. */
export interface Runner {
  data: DataFolder;
  logger: Logger;
  metrics: RunnerMetrics;
  engine: Engine;
  desired: DesiredStore;
  memory: MemoryStore;
  runs: RunStore;
  logs: LogCollector;
  secrets: RunSecrets;
  health: HealthMonitor;
  images: ImageShelf;
  layers: KnownLayers;
  views: Views;
  disk: DiskUsage;
  copies: WorkTreeCopies;
  published: PublishedStates;
  outage: EngineOutage;
  /** Runs whose container is being stopped right now. */
  stopping: Set<string>;
  /** Containers that this process starts, until the engine has told of it: that is no news. */
  starting: Set<string>;
  /** What the engine showed of each user when it was last asked, in short. */
  seen: Map<string, string>;
  /** Ask for a user to be looked at again, now or at a given time. */
  nudge(user: string): void;
  wakeAt(user: string, atMs: number): void;
  /** Ask for an image. Asking twice builds once. */
  requestBuild(
    user: string,
    hash: string,
    workspace: { template: string; packages: { apt: string[]; pip: string[] } },
  ): void;
  /** Tell the controller that something new was observed. */
  tellController(user: string): void;
}
