import type { PinnedSnapshot } from "./desired-state.ts";

/**
 * What the platform sees a twin do.
 * - `waiting`: for a twin in `dependsOn`; `building`: its image; `creating`: the create operation runs;
 * - `starting`: up, not yet healthy; `live`: up and healthy; `completed`: a one-off that ended well;
 * - `ready`: stopped, validated and built, operations can be run; `restarting`: between two attempts;
 * - `stopping`; `unknown`: the engine does not answer; `failed`: given up until something changes in Git or somebody runs it; `refused`: spec is broken and
 *   nothing runs.
 */
export type Phase =
  | "pending"
  | "waiting"
  | "building"
  | "creating"
  | "starting"
  | "live"
  | "completed"
  | "ready"
  | "restarting"
  | "stopping"
  | "unknown"
  | "failed"
  | "refused";

export interface ObservedTwin {
  name: string;
  phase: Phase;
  /** When this phase began. */
  since: string;
  /** Commit of what runs (or ran last); differs from the desired one after a return to the last good. */
  revision?: string;
  sourceKey?: string;
  runId?: string;
  containerId?: string;
  image?: string;
  /** Unplanned restarts in a row. */
  restarts: number;
  /** One sentence for people: why it waits or failed. */
  reason?: string;
  /** The desired revision was tried, did not become healthy in time, and the last good one runs again. */
  returnedFrom?: { revision: string; reason: string };
  waitingFor?: string[];
}

/** What the runner observed for one user, published on disk whenever it changes. */
export interface ObservedState {
  version: 1;
  user: string;
  /** Generation of the desired-state document that was applied last. */
  generation: number;
  observedAt: string;
  twins: ObservedTwin[];
  /** Snapshots that runs and last good sources still use: they must not be collected. */
  needs: PinnedSnapshot[];
}
