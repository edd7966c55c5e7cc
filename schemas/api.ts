import type { Diagnostic } from "./diagnostic.ts";
import type { Phase } from "./observed-state.ts";
import type { Outcome, RunCause, RunManifest, RunOutcome } from "./run.ts";

// What the REST API answers, shared by the controller, the command line and whatever reads the API. The OpenAPI
// document of the controller describes the same shapes; tests hold every answer against it.

/** One twin: what Git asks for and what the runner observed, side by side. */
export interface TwinView {
  user: string;
  name: string;
  title: string;
  description: string;
  labels: Record<string, string>;
  phase: Phase;
  /** When this phase began; `null` where nothing was observed yet. */
  since: string | null;
  reason: string | null;
  /** As Git asks; `null` for a twin that Git no longer has. */
  state: "running" | "stopped" | null;
  suspend: boolean;
  /** It has no dt.yaml. */
  derived: boolean;
  /** Commit of what runs, or ran last. */
  revision: string | null;
  /** Commit of what shall run. */
  desiredRevision: string | null;
  /** Source key of what runs, or ran last, and of what shall run. */
  sourceKey: string | null;
  desiredSourceKey: string | null;
  /** The runner has looked at the newest desired-state document. */
  applied: boolean;
  runId: string | null;
  containerId: string | null;
  image: string | null;
  restarts: number;
  /** The spec at this revision has errors; the last good one, if there is one, is still wanted. */
  broken: { revision: string; diagnostics: Diagnostic[] } | null;
  returnedFrom: { revision: string; reason: string } | null;
  waitingFor: string[];
  dependsOn: string[];
  operations: string[];
  schedule: ScheduleView[];
  lastRun: RunView | null;
}

/** An operation that the platform runs by itself. */
export interface ScheduleView {
  operation: string;
  /** Five fields, read in the time zone. */
  cron: string;
  timeZone: string;
  /** `null`: suspended. */
  next: string | null;
  /** The last time that came: the run that was asked for, or why there is none. */
  last: { at: string; runId: string | null; skipped: string | null } | null;
}

/** `waiting`: accepted, the runner has not begun; `running`: it has a manifest and no outcome; `ended`. */
export type RunState = "waiting" | "running" | "ended";

export interface RunView {
  id: string;
  user: string;
  twin: string;
  /** `null` for a run that ended before it began and whose request is gone. */
  operation: string | null;
  cause: RunCause | null;
  state: RunState;
  cancelRequested: boolean;
  requestedBy: string | null;
  rerunOf: string | null;
  attempt: number | null;
  /** Of the files it ran; of a copy of the workspace, the commit that was checked out there. */
  revision: string | null;
  /** It ran a copy of the files in the user's workspace. */
  worktree: boolean;
  createdAt: string | null;
  startedAt: string | null;
  finishedAt: string | null;
  outcome: Outcome | null;
  exitCode: number | null;
  reason: string | null;
}

export interface RunDetails extends RunView {
  manifest: RunManifest | null;
  result: RunOutcome | null;
}

export interface AcceptedRun {
  id: string;
  user: string;
  twin: string;
  operation: string;
}

export interface StateChange {
  user: string;
  twin: string;
  state: "running" | "stopped";
  /** False: Git said so already, and nothing was committed. */
  changed: boolean;
  commit: string | null;
}

/** A twin's folder as it was, in one commit. */
export interface Rollback {
  user: string;
  twin: string;
  /** Head of the default branch before. */
  from: string;
  /** The revision that counts again. */
  to: string;
  /** Changes to files. */
  files: number;
  commit: string;
  /** Where the commit is. */
  branch: string;
  /** To be merged by somebody; `null` where the default branch has the commit. */
  mergeRequest: { iid: number; url: string } | null;
}

/** What a run kept, in one commit. */
export interface SavedOutputs {
  user: string;
  twin: string;
  run: string;
  branch: string;
  /** All files of the run, those that were there already included. */
  files: number;
  /** False: the branch has all of them already, and nothing was committed. */
  changed: boolean;
  commit: string | null;
}

/** One webhook call and what became of it. */
export interface DeliveryView {
  id: string;
  acceptedAt: string;
  event: string;
  /** Full path; `null` for a delivery that names no project. */
  project: string | null;
  /** `accepted`: journalled, not worked on yet; the others are how it was worked on. */
  outcome: "accepted" | "applied" | "unchanged" | "refused" | "ignored" | "failed";
  /** One sentence for people. */
  reason: string | null;
  finishedAt: string | null;
  revision: string | null;
  generation: number | null;
}

export interface DeliveryDetails extends DeliveryView {
  twins: TwinView[];
}

export interface PlannedStep {
  kind: string;
  /** One line for people. */
  text: string;
}

/** What would be done now, by the last observation. */
export interface PlanView {
  user: string;
  generation: number | null;
  revision: string | null;
  observedAt: string | null;
  /** Age of the observation in milliseconds. */
  observedAgeMs: number | null;
  twins: { name: string; phase: Phase; reason: string | null; steps: PlannedStep[] }[];
}

/** What one user sees at /workspace/common. */
export interface SharedAssets {
  user: string;
  /** In order of precedence. `folder`: only what lies there counts, in the user's own repository. */
  repositories: { project: string; commit: string; folder: string | null }[];
  assets: { path: string; project: string }[];
  /** Assets that the repository `behind` has as well, and that are therefore not seen. */
  hidden: { path: string; project: string; behind: string }[];
  /** Repositories that are wanted and not seen, or not as they are now. */
  problems: { project: string; reason: string }[];
}

/** A twin has gone from one phase to another. `from` is `null` for one that was not there before. */
export interface PhaseChange {
  user: string;
  twin: string;
  from: Phase | null;
  /** `null`: the twin is gone. */
  phase: Phase | null;
  since: string | null;
  reason: string | null;
}

export interface Me {
  id: number;
  username: string;
  name: string;
  /** A maintainer of the platform project. */
  administrator: boolean;
}

export interface QueueLength {
  waiting: number;
  active: number;
  delayed: number;
  failed: number;
}

export interface StatusView {
  version: string;
  node: string;
  startedAt: string;
  users: number;
  twins: Record<string, number>;
  queues: Record<string, QueueLength>;
  /** Last full look at every project; `null` before the first. */
  resync: { at: string | null; ageMs: number | null };
}

/** RFC 9457 problem details, with what a person needs to mend it. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  requestId: string;
  hint?: string;
  where?: { file?: string; line?: number; column?: number };
  retryAfterMs?: number;
}

export interface Items<T> {
  items: T[];
}

/** A secret of a user's project: where it comes from and who uses it. Its value is told to nobody. */
export interface SecretView {
  name: string;
  /** `none`: declared by a twin, and without a value. */
  origin: "variable" | "file" | "none";
  /** Full path of the project or group that has the variable. */
  of: string | null;
  /** Environments the variable is for: `*`, `dtaas/<twin>` ... */
  scope: string | null;
  protected: boolean;
  masked: boolean;
  /** Twins whose spec names it. */
  declaredBy: string[];
  /** Why it cannot be used, or what else is to be said about it. */
  remark: string | null;
}

export interface SecretChange {
  user: string;
  name: string;
  scope: string;
  change: "created" | "replaced" | "deleted";
  /** Twins whose spec names it: they start again with the new value, or run on without one. */
  declaredBy: string[];
  remark: string | null;
}

/** What a secret has to be sealed to before it may stand in the repository. */
export interface SealingKey {
  user: string;
  project: string;
  publicKey: string;
}
