import type { WorkspaceImage } from "./twin-spec.ts";
import type {
  WorkspaceDisk,
  WorkspaceResources,
  WorkspaceService,
  WorkspaceState,
  WorkTree,
} from "./workspace-state.ts";

// What the REST API answers about workspaces.

export interface WorkspaceStageView {
  name: WorkspaceState;
  startedAt: string;
  /** `null` while it lasts. */
  tookMs: number | null;
}

/** One user's workspace: what was asked for and what the runner sees, side by side. No token is ever part of it. */
export interface WorkspaceView {
  user: string;
  state: WorkspaceState;
  since: string | null;
  reason: string | null;
  /** What was asked for last; `null` where nobody ever asked. */
  desired: "running" | "stopped" | null;
  /** The runner has seen the newest wish. */
  applied: boolean;
  session: number | null;
  requestedBy: string | null;
  template: WorkspaceImage | null;
  image: string | null;
  resources: WorkspaceResources | null;
  idleStopAfterMs: number | null;
  stages: WorkspaceStageView[];
  /** Why the next start will bring another image. */
  behind: string | null;
  services: WorkspaceService[];
  workTree: WorkTree | null;
  /** What its files take, as measured last. */
  disk: WorkspaceDisk | null;
  lastActiveAt: string | null;
  stopsIdleAt: string | null;
}

/** An address that lets in whoever has it, until the session ends. */
export interface OpenedWorkspace {
  user: string;
  url: string;
}
