import type { CronTime } from "./cron.ts";
import type { TwinDefaults } from "./defaults.ts";
import type { Diagnostic } from "./diagnostic.ts";
import type { Parameters, Retention, TwinMetadata, TwinSpec, UserLimits } from "./twin-spec.ts";

/** A project at a commit, checked out read-only at `snapshots/<project folder>/<commit>`. */
export interface PinnedSnapshot {
  /** Full path on the forge, such as `dtaas/user1`. */
  project: string;
  commit: string;
}

/** One twin as it shall be. */
export interface DesiredTwin {
  name: string;
  metadata: TwinMetadata;
  derived: boolean;
  state: "running" | "stopped";
  /** The platform observes and reports, and changes nothing. */
  suspend: boolean;
  /** By operation: when the platform runs it by itself. Absent where nothing is scheduled. */
  schedule?: Record<string, CronTime>;
  spec: TwinSpec;
  /**
   * Everything from Git that decides how the twin runs, hashed: the normalised spec, the content of its folder and
   * of its declared assets. With the image id it makes the restart key. Equal key, no restart.
   */
  sourceKey: string;
  /**
   * Keyed hash of the values of its secrets; absent where it has none. Part of the restart key, not of the source key:
   * a new value starts the twin again on the workspace it has.
   */
  secretsVersion?: string;
  /** The commit at which the source key took this value; it is what is checked out and run. */
  revision: string;
  own: PinnedSnapshot;
  /** Mounted read-only at /workspace/common. */
  common?: PinnedSnapshot;
  /** Since when it is kept up within its user's limits; absent for twins that are not. */
  admittedAt?: string;
  /** It shall be kept up and would exceed a limit of its user: which one, in one sentence. It is not run. */
  overLimit?: string;
  /**
   * Shared-asset repositories that it sees at /workspace/common, earlier ones first. They follow the newest commits even
   * where the source key stays: what a run saw is in its manifest.
   */
  shared?: PinnedSnapshot[];
  /** Projects that give the shared assets it declares. */
  assetsFrom?: string[];
  /** Set while a shared repository that it declares an asset of may not be read: nothing of it runs. */
  withheld?: { reason: string };
  /** Set when the spec at the head revision is broken: this is then the last good one, still wanted. */
  brokenSince?: { revision: string; diagnostics: Diagnostic[] };
}

/** A twin folder whose spec is broken and that never had a good one. */
export interface RefusedTwin {
  name: string;
  revision: string;
  diagnostics: Diagnostic[];
}

/** A repository at a commit, as one part of a view. */
export interface ViewSource extends PinnedSnapshot {
  /** The folder that counts, in the user's own repository. Absent: all of it. */
  folder?: "common";
}

/** One shared asset: a file or folder directly in a folder such as `models`. */
export interface ViewAsset {
  /** Like `models/incubator-thermal`, relative to /workspace/common. */
  path: string;
  /** Git's id of its content. */
  id: string;
  /** Index of the source that gives it. */
  from: number;
}

/** One user's merged view of shared assets at one moment. */
export interface View {
  /** In order of precedence. Only what this user may read. */
  sources: ViewSource[];
  assets: ViewAsset[];
  /** Assets that an earlier source has, too. */
  hidden: { path: string; from: number; behind: number }[];
  /** Shared repositories that are wanted and not seen, or not seen as they are now, and why. */
  problems: { project: string; reason: string }[];
}

/** What one user's repository asks for. Written by the controller, replaced in one step, read by the runner. */
export interface DesiredState {
  version: 1;
  user: string;
  /** Grows by one whenever the content changes. */
  generation: number;
  writtenAt: string;
  project: { id: number; path: string };
  /** Head of the default branch that this document was made from. */
  revision: string;
  /** What the platform allows this user; absent: no limits. */
  limits?: UserLimits;
  twins: DesiredTwin[];
  refused: RefusedTwin[];
  /** What is wrong at this revision and belongs to no twin, such as a folder whose name cannot be a twin's. */
  problems?: Diagnostic[];
  /** What the user sees at /workspace/common. */
  view?: View;
}

/** One accepted wish to run an operation, or to run a former run again. Written before it is acknowledged. */
export interface RunRequest {
  version: 1;
  runId: string;
  user: string;
  twin: string;
  operation: string;
  requestedBy: string;
  requestedAt: string;
  /** Run this former run's manifest again instead of today's spec. */
  rerunOf?: string;
  /** Values for this run alone, over those of the spec. */
  parameters?: Parameters;
  /** Run a copy of the files in the user's workspace as they are now, committed or not. */
  worktree?: true;
  /** Of a copy: whoever asks may give code secrets; others could not push what they have written. */
  mayUseSecrets?: true;
  /** The time of its twin's schedule that it belongs to; absent for what somebody asked for. */
  scheduledFor?: string;
}

/** What platform.yaml says to the runner. Written by the controller, replaced in one step. */
export interface PlatformSettings {
  version: 1;
  retention?: Retention;
  /** Patterns of ready images that may be run beside those of the templates (`policies.images`). */
  images?: string[];
  /** What twins inherit when they say nothing. */
  defaults?: TwinDefaults;
}
