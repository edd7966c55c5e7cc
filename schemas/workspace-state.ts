import type { WorkspaceImage } from "./twin-spec.ts";

/** What one workspace may use at most. */
export interface WorkspaceResources {
  cpus: number;
  memoryBytes: number;
  /** /dev/shm; part of the memory. */
  shmBytes: number;
  pids: number;
  /** What its files may take, work tree and home together. Absent: no limit. */
  diskBytes?: number;
}

/**
 * - `queued`: waits for its turn to be built or pulled; `pulling`, `building`: its image;
 * - `creating`: its container is made; `starting`: its tools and its work tree come up; `ready`: they answer;
 * - `failed`: given up, `reason` says why; `stopping`; `stopped`: nothing runs, its files are kept.
 */
export type WorkspaceState =
  | "queued"
  | "pulling"
  | "building"
  | "creating"
  | "starting"
  | "ready"
  | "failed"
  | "stopping"
  | "stopped";

/** One user's workspace as it shall be. Written by the controller, replaced in one step, read by the runner. */
export interface WorkspaceRequest {
  version: 1;
  user: string;
  /** Grows by one whenever the document changes. */
  generation: number;
  /** Grows with each start, restart and rebuild: a container of an earlier session is replaced. */
  session: number;
  writtenAt: string;
  state: "running" | "stopped";
  requestedBy: string;
  /** This session begins with an image that is built, or pulled, anew. */
  rebuild: boolean;
  /** Counts as work: the idle time begins anew. */
  keptAliveAt?: string;
  /** Either a template with packages, or the name of a ready image. */
  template?: WorkspaceImage;
  image?: string;
  resources: WorkspaceResources;
  /** Absent: never stopped by itself. */
  idleStopAfterMs?: number;
  repository: { project: string; branch: string };
  /** In whose name commits are made. `id`: the Git host's, for asking about rights. */
  owner: { id: number; name: string; email: string };
  /** For Git through the controller, of this session only; a stopped workspace's is worth nothing. */
  gitToken: string;
  /** For reaching the tools, of this session only. */
  accessToken: string;
}

export interface WorkspaceStage {
  name: WorkspaceState;
  startedAt: string;
  /** Absent while it lasts. */
  finishedAt?: string;
}

/** A tool that a workspace serves. `path` is below the workspace's own address. */
export interface WorkspaceService {
  name: string;
  title: string;
  path: string;
}

export interface WorkspaceDisk {
  usedBytes: number;
  limitBytes?: number;
}

/** What Git says about the work tree, as told from inside the container: it is the user's word. */
export interface WorkTree {
  checkedAt: string;
  /** Why the newest commits could not be had. */
  problem?: string;
  branch?: string;
  commit?: string;
  /** Commits that upstream does not have, and the other way round. */
  ahead?: number;
  behind?: number;
  /** Files with changes that are not committed; the first 50. */
  changed: string[];
}

/** What the runner sees of one user's workspace, published on disk whenever it changes. */
export interface ObservedWorkspace {
  version: 1;
  user: string;
  /** Of the request that was applied last. */
  generation: number;
  session: number;
  observedAt: string;
  state: WorkspaceState;
  since: string;
  reason?: string;
  /** Of this session, in their order. */
  stages: WorkspaceStage[];
  imageHash?: string;
  imageId?: string;
  /** Why the next start will bring another image. */
  behind?: string;
  containerId?: string;
  /** On the runner's loopback address. */
  port?: number;
  services: WorkspaceService[];
  workTree?: WorkTree;
  /** What its files take, as measured last, in whole MiB; and what they may take, where that is limited. */
  disk?: WorkspaceDisk;
  lastActiveAt?: string;
  stopsIdleAt?: string;
}
