import type { Readable } from "node:stream";
import type { Resources } from "#schemas/twin-spec";
import type { LayerRef } from "./engine.ts";

/** What the runner may ask for. There is no way to pass an engine option of one's own. */
export interface CiContainerSpec {
  jobId: number;
  user: string;
  imageId: string;
  command: string[];
  resources: Resources;
  network: string;
  /** Mounted at /builds, the only place that lasts until the job has ended. */
  layer: LayerRef;
  /** Names that lead to this machine's address in the job's network. */
  hostNames: Record<string, string>;
}

export interface CiContainer {
  id: string;
  jobId: number;
  state: "created" | "running" | "exited";
}

/**
 * Containers of pipeline jobs. They are none of a run: whoever lists or follows containers of runs does not see them. What is there
 * of one is started, stopped, removed, and its log read, by its id like any other (`Containers`).
 */
export interface CiContainers {
  /** Makes the container, or finds the one of this job. Does not start it. */
  create(spec: CiContainerSpec): Promise<{ id: string }>;
  list(): Promise<CiContainer[]>;
  /** Unpacks a tar at an absolute path below /builds, also of a container that has not been started. */
  upload(id: string, path: string, archive: Readable): Promise<void>;
  /** What lies at an absolute path, as a tar with links and all; `undefined` where nothing is. Of an ended container, too. */
  download(id: string, path: string): Promise<NodeJS.ReadableStream | undefined>;
  /** Resolves when it has ended. Rejects with the signal's reason. */
  wait(id: string, signal: AbortSignal): Promise<{ exitCode: number; outOfMemory: boolean }>;
  /** In its network; only while it runs. */
  address(id: string): Promise<string | undefined>;
  /** The network of one person's jobs, which no twin or workspace is in, made on first use: its name, and our address in it. */
  network(user: string): Promise<{ name: string; gateway: string }>;
  /** One with containers in it stays. */
  removeNetwork(user: string): Promise<void>;
}
