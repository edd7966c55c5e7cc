import type { DesiredTwin, RunRequest } from "#schemas/desired-state";
import type { RunCause } from "#schemas/run";
import type { TwinMemory } from "./memory.ts";

/** One container of a twin, as the engine shows it now. Times in milliseconds since 1970. */
export interface ContainerFact {
  id: string;
  runId: string;
  operation: string;
  /** The restart key it was made with. */
  key: string;
  sourceKey: string;
  revision: string;
  state: "created" | "running" | "paused" | "exited";
  startedAtMs?: number;
  exitCode?: number;
  /** Somebody changed its limits, mounts or networks behind our back. */
  changed: boolean;
}

/** What the health checks of a running container say. */
export interface HealthFact {
  state: "unknown" | "healthy" | "unhealthy";
  reason?: string;
}

/** The workspace image of a source: there, to be built (or being built), or given up. */
export type ImageFact =
  | { state: "present"; hash: string; id: string }
  | { state: "missing"; hash: string }
  | { state: "failed"; hash: string; reason: string; retryAtMs?: number }
  | { state: "unknown"; reason: string };

/**
 * A copy of the files in a workspace, made for one run: it runs beside the twin on a layer of its own, and nothing of it
 * becomes the twin's.
 */
export type CopyFact =
  | { state: "copying" }
  /** It could not be made, or its dt.yaml is broken: where, and how. */
  | { state: "failed"; reason: string }
  | {
      state: "ready";
      source: DesiredTwin;
      image: ImageFact;
      secretProblem?: string;
      /** Bytes that it has written, where it has a limit. */
      diskBytes?: number;
    };

/** Everything the planner may look at for one twin. */
export interface TwinFacts {
  name: string;
  /** `undefined`: Git no longer has it. */
  desired: DesiredTwin | undefined;
  /** Image of the desired source, and of the last good one. */
  image: ImageFact;
  lastGoodImage: ImageFact | undefined;
  /** Why neither can be started for want of a secret, in a sentence; absent when all is well. */
  secretProblem?: string;
  lastGoodSecretProblem?: string;
  containers: readonly ContainerFact[];
  memory: TwinMemory;
  /** Accepted and not ended, oldest first. */
  requests: readonly RunRequest[];
  /** Ids of runs somebody wants ended. */
  cancels: ReadonlySet<string>;
  dependencies: readonly { name: string; ready: boolean }[];
  health: ReadonlyMap<string, HealthFact>;
  /** Source keys that have a writable layer. */
  layers: readonly string[];
  /** Runs whose container is being stopped right now. */
  stopping: ReadonlySet<string>;
  /** Projects whose shared assets the user may read now; `undefined`: not known. */
  readable?: ReadonlySet<string> | undefined;
  /** Bytes that limited layers take, by source key. */
  disk?: ReadonlyMap<string, number>;
  /** By run: copies of the workspace's files that are asked for, or there. `undefined`: not made yet. */
  copies?: ReadonlyMap<string, CopyFact | undefined>;
  nowMs: number;
}

export type StopReason =
  | "removed"
  | "not wanted"
  | "replaced"
  | "cancelled"
  | "timed out"
  | "changed"
  | "access removed"
  | "disk full"
  | "time over"
  | "unhealthy";

/** What is to be done, in an order that can be applied from top to bottom. Every step may be applied twice. */
export type Step =
  | { kind: "build-image"; hash: string; workspace: DesiredTwin["spec"]["workspace"] }
  | {
      kind: "start-run";
      /** Absent for a new run: its id is made, and written down, when the step is applied. */
      runId?: string;
      operation: string;
      cause: RunCause;
      attempt: number;
      key: string;
      source: DesiredTwin;
      image: { hash: string; id: string };
      request?: RunRequest;
      /** For `terminate`: the execution it ends. */
      join?: { runId: string; containerId: string };
    }
  | { kind: "stop-run"; runId: string; containerId: string; reason: StopReason; explanation?: string }
  | { kind: "finish-run"; runId: string; containerId?: string }
  | { kind: "reject-request"; runId: string; outcome: "cancelled" | "failed"; reason: string }
  | { kind: "remember-good"; key: string; source: DesiredTwin; runId?: string }
  | { kind: "refuse-source"; key: string; revision: string; reason: string }
  | { kind: "try-again"; key: string }
  | { kind: "copy-work-tree"; runId: string }
  /** The copy of a run that has ended, and the layer over it. */
  | { kind: "remove-copy"; runId: string; sourceKey?: string }
  | { kind: "remove-layer"; sourceKey: string }
  | { kind: "forget-twin" };
