// The validated, normalised form of what users write: every default filled in, durations in milliseconds, sizes
// in bytes. Everything behind `schemas/` speaks these types; nobody else reads YAML.

import type { CronTime } from "./cron.ts";
import type { RemotePolicy, RemoteSpec } from "./remotes.ts";
import type { WorkspaceResources } from "./workspace-state.ts";

export type AssetKind = "data" | "function" | "model" | "tool" | "digital-twin";

/** An asset that must be there before the twin runs. `path` starts with `common/` for a shared one. */
export interface AssetReference {
  kind: AssetKind;
  path: string;
}

export interface Packages {
  apt: string[];
  pip: string[];
}

/** Which workspace image a twin runs in: a folder of templates/workspace/ and what is installed on top. */
export interface WorkspaceImage {
  template: string;
  packages: Packages;
}

export interface OperationSpec {
  /** A script path relative to the twin's folder, or a command with its arguments. */
  run: string | string[];
  /** Folder the command starts in, relative to /workspace. */
  workingDir: string;
  /** After this the operation is stopped and counts as timed out. `undefined`: no limit (long-running twins). */
  timeoutMs?: number;
  /** Between the polite stop signal and the forced one. */
  graceMs: number;
  /** Files or folders, relative to /workspace, kept with the run when it has ended. */
  outputs: string[];
}

/** A secret by its name; `env`: given as an environment variable, too. The value is never part of a spec. */
export interface SecretReference {
  name: string;
  env: boolean;
}

export interface HealthSpec {
  http?: { port: number; path: string };
  exec?: string[];
  intervalMs: number;
  timeoutMs: number;
  retries: number;
}

export interface RestartSpec {
  policy: "always" | "on-failure" | "never";
  maxRetries: number;
  backoffMs: number;
}

export interface RolloutSpec {
  strategy: "replace" | "parallel";
  timeoutMs: number;
}

export interface Resources {
  cpus: number;
  memoryBytes: number;
  pids: number;
  /** What a twin may write, beyond its repository. Absent: no limit. Changing it restarts nothing. */
  diskBytes?: number;
}

/** A value that a twin's scripts read. Its JSON has at most 32 KiB, a NUL nowhere. */
export type ParameterValue = string | number | boolean | ParameterValue[] | Parameters;

/** By name: letters, digits and single `_`, so that names joined by `__` are never ambiguous. */
export interface Parameters {
  [name: string]: ParameterValue;
}

export interface TwinMetadata {
  name: string;
  title: string;
  description: string;
  labels: Record<string, string>;
}

/** What makes a twin run the way it does. A change here changes the restart key. */
export interface TwinSpec {
  integrationLevel: "model" | "shadow" | "twin";
  workspace: WorkspaceImage;
  assets: AssetReference[];
  /** Absent where there are none. */
  parameters?: Parameters;
  environment: Record<string, string>;
  /** Absent: none. */
  secrets?: SecretReference[];
  /** By operation name: create, execute, save, analyse, evolve, terminate, clean, explore, or the user's own. */
  lifecycle: Record<string, OperationSpec>;
  /** `user/twin` names, each started before this one. */
  dependsOn: string[];
  /** `undefined`: a twin that has been up for three seconds is healthy. */
  health?: HealthSpec;
  restart: RestartSpec;
  rollout: RolloutSpec;
  resources: Resources;
}

/** What a merge request runs beside the live twin. Not part of what a twin runs from: changing it restarts nothing. */
export interface PreviewSpec {
  /** Run one after the other; at least one. */
  operations: string[];
  /** An operation without a timeout is stopped after this, and its outputs count. */
  durationMs: number;
  /** From the wish to the removal. */
  ttlMs: number;
  compare: CompareSpec[];
}

/** A column of a CSV file, whose numbers are set beside those of the live twin. */
export interface CompareSpec {
  /** Relative to /workspace. */
  file: string;
  column: string;
  tolerance: number;
}

/** One twin as its folder describes it at one revision. `derived`: it has no dt.yaml. */
export interface TwinDocument {
  metadata: TwinMetadata;
  state: "running" | "stopped";
  suspend: boolean;
  /** By operation: when the platform runs it by itself. Absent where nothing is scheduled. */
  schedule?: Record<string, CronTime>;
  derived: boolean;
  /** Absent: merge requests run nothing of it. */
  preview?: PreviewSpec;
  spec: TwinSpec;
}

/** Whose merge requests run previews: those of `members` at once and of others when a member asks, of `nobody`, or of `everybody`. */
export type TwinsFromMergeRequests = "members" | "nobody" | "everybody";

/** The normalised platform.yaml. */
export interface PlatformDocument {
  group: string;
  shared: { project: string; groups: string[] }[];
  defaults: { workspace: WorkspaceImage; resources: Resources };
  /** Absent: every remote on the open internet. */
  remotes?: RemotePolicy;
  /** Absent: no limits. */
  limits?: { perUser: UserLimits };
  retention?: Retention;
  /** Absent: `members`. */
  twinsFromMergeRequests?: TwinsFromMergeRequests;
  /** Absent in documents of older versions. */
  workspaces?: WorkspacePolicy;
}

/** How long what is no longer needed is kept, in milliseconds; what is absent has the default. */
export interface Retention {
  runsMs?: number;
  logsMs?: number;
  imagesMs?: number;
}

/** What the twins of one user may use together; what is absent has no limit. */
export interface UserLimits {
  twins?: number;
  cpus?: number;
  memoryBytes?: number;
}

/** What the platform lets users ask for in their workspaces. */
export interface WorkspacePolicy {
  /** 0 or 1. */
  perUser: number;
  /** What is absent has no limit. */
  limits: Partial<WorkspaceResources>;
  /** Patterns of image names, `*` for any characters. */
  images: string[];
}

/** The normalised workspace.yaml of a user. */
export interface WorkspaceDocument {
  /** What twins inherit, and the workspace itself unless it has an image of its own. */
  workspace: WorkspaceImage;
  /** Absent: none. */
  remotes?: RemoteSpec[];
  /** Full paths of shared-asset repositories beyond the platform's, in order of precedence. */
  shared: string[];
  image?: string;
  idleStopAfterMs?: number;
  /** As written. */
  resources: Partial<WorkspaceResources>;
}
