import type { LogLine } from "#schemas/run";
import type { Resources } from "#schemas/twin-spec";
import type { CiContainers } from "./ci-containers.ts";
import type { WorkspaceContainers } from "./workspace-containers.ts";

/**
 * The container engine in our words. Ids are the engine's own. Unless a method says otherwise, what is not there is
 * `undefined` or a no-op, never an error; an engine that cannot be reached is `TryLaterError`; a full disk is
 * `ActionNeededError("DISK_FULL")`.
 */
export interface Engine {
  readonly name: "docker" | "process" | "fake";
  /** Whether an old and a new execution of one twin may be up side by side; otherwise the old one makes room first. */
  readonly runsBeside: boolean;
  /** Whether folders can be shown at any path inside; otherwise only below /workspace and at their own path. */
  readonly placesFolders: boolean;
  /** Throws `TryLaterError` when the engine does not answer within five seconds. */
  ping(signal?: AbortSignal): Promise<{ version: string }>;
  containers: Containers;
  images: Images;
  networks: Networks;
  layers: Layers;
  /** Absent where an engine cannot have any. */
  workspaces?: WorkspaceContainers;
  /** Absent where jobs of pipelines cannot be locked up. */
  ci?: CiContainers;
  /** Absent where an engine cannot keep previews apart from everything else. */
  previews?: PreviewContainers;
  close(): Promise<void>;
}

/** Labels that tie a container to what it runs; the runner's truth about what is. */
export interface ContainerLabels {
  user: string;
  twin: string;
  operation: string;
  run: string;
  /** The restart key. */
  key: string;
  /** The source key inside the restart key, and the commit it was checked out from. */
  source: string;
  revision: string;
  attempt: string;
  /** The previews that it belongs to; absent for what runs of the live twin. */
  preview?: string;
}

/** What the runner may ask for. There is no way to pass an engine option of one's own. */
export interface ContainerSpec {
  name: string;
  imageId: string;
  labels: ContainerLabels;
  command: string[];
  /** Absolute inside the container. */
  workingDir: string;
  environment: Record<string, string>;
  /** Files in `$DT_SECRETS` that the command finds as environment variables of the same name, too. */
  environmentFiles?: readonly string[];
  resources: Resources;
  network: string;
  layer: LayerRef;
  /** Further folders shown inside; nothing in them can be changed from there. */
  mounts?: readonly ReadOnlyMount[];
  /** Host folder with run files, mounted read-only at /run/dtaas. */
  runFolder?: string;
  /** Join the process and network namespaces of this container (for `terminate`). */
  joinContainerId?: string;
  graceMs: number;
}

/**
 * A folder of this machine, shown read-only inside at `target`, an absolute path. An engine that cannot place folders
 * (plain processes) puts a copy below /workspace where it is wanted there; the rest is seen at its own path only.
 */
export interface ReadOnlyMount {
  source: string;
  target: string;
}

export interface Container {
  id: string;
  name: string;
  labels: ContainerLabels;
  state: "created" | "running" | "paused" | "exited";
  /** Only when exited. */
  exitCode?: number;
  outOfMemory?: boolean;
  /** ISO 8601; absent when it never started. */
  startedAt?: string;
  finishedAt?: string;
  imageId: string;
  /** Somebody changed limits, capabilities, mounts or networks since it was created. */
  changed: boolean;
}

export interface EngineEvent {
  kind: "started" | "exited" | "removed" | "changed" | "disconnected" | "reconnected";
  /** Absent for `disconnected` and `reconnected`: events may have been missed, look at everything. */
  container?: { id: string; labels: ContainerLabels };
}

export interface Containers {
  /** Makes the container, or finds the one that has this name: calling it twice makes one. Does not start it. */
  create(spec: ContainerSpec, signal?: AbortSignal): Promise<{ id: string }>;
  /** A container that runs already stays as it is. */
  start(id: string): Promise<void>;
  /** The polite signal, then after `graceMs` the forced one. Resolves once it has ended. */
  stop(id: string, graceMs: number): Promise<void>;
  /** Ends and removes it. */
  remove(id: string): Promise<void>;
  /**
   * Every container of this installation that is no preview's; of one user only when given. What has been seen of a container may be told
   * again while `events` is followed and has told of no change of it.
   */
  list(user?: string): Promise<Container[]>;
  /**
   * From now on. A lost connection is said as `disconnected`, where there is one; it goes on by itself and says
   * `reconnected`. Ends with the signal.
   */
  events(signal: AbortSignal): AsyncIterable<EngineEvent>;
  /** All lines so far (after `since`, exclusive), then, with `follow`, new ones until the container ends. */
  logs(id: string, options: { since?: string; follow: boolean; signal: AbortSignal }): AsyncIterable<LogLine>;
  /**
   * Regular files below `path`, which is absolute in the container, as a tar stream; their names begin with the last
   * part of `path`. `undefined` where nothing is.
   */
  read(id: string, path: string): Promise<NodeJS.ReadableStream | undefined>;
  /** Where a port of a running container can be reached from the runner. */
  endpoint(id: string, port: number): Promise<{ host: string; port: number } | undefined>;
  /**
   * Runs a command inside; its exit code: 124 when it took longer than `timeoutMs`, 125 when the container does not
   * run. Used for health checks.
   */
  exec(id: string, command: string[], timeoutMs: number): Promise<number>;
}

/**
 * Containers whose labels name a preview: made, started, stopped and removed as all others, in a list and in networks of
 * their own.
 */
export interface PreviewContainers {
  /** Every one of this installation. */
  list(): Promise<Container[]>;
  /**
   * A network for one preview, made on first use; its engine name. Nothing but what is put into it is reached from there:
   * not the networks of users, nothing beyond this machine.
   */
  ensureNetwork(preview: PreviewScope): Promise<string>;
  /** One with containers in it stays. */
  removeNetwork(preview: PreviewScope): Promise<void>;
  listNetworks(): Promise<PreviewScope[]>;
}

/** One twin's preview. */
export interface PreviewScope {
  user: string;
  /** Of the merge request's previews. */
  id: string;
  twin: string;
}

export interface ImageRecipe {
  /** Content hash: the same recipe is built once and reused by everybody. */
  hash: string;
  dockerfile: string;
  /** Files beside the Dockerfile, by path. */
  files: Record<string, { content: string; mode: number }>;
}

export interface Images {
  /** The engine's id of the image with this hash. */
  find(hash: string): Promise<string | undefined>;
  /** The address of this machine in the network of builds: what serves them listens there. */
  buildHost(): Promise<string>;
  /**
   * Builds it; each line of output goes to `onLine`. A failing build is `ActionNeededError("BUILD_FAILED")`. Builds
   * reach nothing beyond this machine, except through `proxyUrl`, which stays in no layer or history.
   */
  build(
    recipe: ImageRecipe,
    onLine: (line: string) => void,
    signal: AbortSignal,
    proxyUrl?: string,
  ): Promise<string>;
  /** The id of the base image that all templates start from; `ActionNeededError("BASE_IMAGE_MISSING")`. */
  base(): Promise<string>;
  /** Images built by this installation. */
  list(): Promise<{ id: string; hash: string; createdAt: string; bytes: number }[]>;
  /** An image in use stays. */
  remove(hash: string): Promise<void>;
}

export interface Networks {
  /** One network per user, made on first use; its engine name. Small subnets from a configured pool. */
  ensure(user: string): Promise<string>;
  /** One with containers in it stays. */
  remove(user: string): Promise<void>;
  /** Users that have one. */
  list(): Promise<string[]>;
}

/** A twin's writable /workspace over a read-only snapshot, shared by its operations. */
export interface LayerRef {
  id: string;
}

export interface Layers {
  /** Makes the layer, or finds it. `lowerFolder` is the snapshot on the host. */
  ensure(id: string, lowerFolder: string): Promise<LayerRef>;
  /** Back to the snapshot as it was. One that a container still has, even an ended one, is `TryLaterError`. */
  remove(id: string): Promise<void>;
  /** Ids. */
  list(): Promise<string[]>;
  /** Bytes that it takes on disk: what was written; where a layer is a copy of its snapshot, all of it. 0 for none. */
  usage(id: string): Promise<number>;
}
