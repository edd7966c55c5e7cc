import type { PinnedSnapshot, RunRequest } from "./desired-state.ts";
import type { OperationSpec, Parameters, Resources, SecretReference, WorkspaceImage } from "./twin-spec.ts";

export type RunCause =
  | "state"
  | "restart"
  | "request"
  | "rerun"
  | "schedule"
  | "return-to-last-good"
  | "removal"
  | "preview";

/** Is it a run that somebody, or the twin's schedule, asked for: one that a request stands behind? */
export function isAskedFor(cause: RunCause): boolean {
  return cause === "request" || cause === "rerun" || cause === "schedule";
}

/** Why the run of a request is made. */
export function causeOfRequest(request: RunRequest): RunCause {
  if (request.rerunOf !== undefined) return "rerun";
  return request.scheduledFor === undefined ? "request" : "schedule";
}

/** Everything needed to do a run again. Written before its container is made; never changed. */
export interface RunManifest {
  version: 1;
  id: string;
  user: string;
  twin: string;
  operation: string;
  cause: RunCause;
  requestedBy?: string;
  rerunOf?: string;
  /** 1 for the first execution with this restart key, then counting up. */
  attempt: number;
  sourceKey: string;
  revision: string;
  own: PinnedSnapshot;
  /** What it saw at /workspace/common, beside the `common` folder of `own`; earlier ones first. */
  shared?: PinnedSnapshot[];
  workspace: WorkspaceImage;
  /** Content hash of the image's recipe, and the engine's id of the image. */
  image: { hash: string; id: string };
  command: OperationSpec;
  /** As the run sees them: the spec's, with what was given for this run. */
  parameters?: Parameters;
  environment: Record<string, string>;
  /** Names only: a run that is done again gets the values of its own day. */
  secrets?: SecretReference[];
  resources: Resources;
  /** It ran a copy of uncommitted files, which is not kept: it cannot be done again. */
  worktree?: true;
  /** Of that copy. */
  copy?: CopiedFiles;
  createdAt: string;
}

/** What was copied out of a workspace. */
export interface CopiedFiles {
  /** The commit that was checked out there; the files may differ from it. */
  base: string;
  /** SHA-256 over every path, mode and content: equal digest, equal files. */
  digest: string;
  files: number;
  bytes: number;
}

/** A part of a run with its times: queued, image, layer, container, running, outputs. */
export interface RunStage {
  name: string;
  startedAt: string;
  finishedAt?: string;
}

export type Outcome = "succeeded" | "failed" | "timed-out" | "cancelled" | "stopped" | "lost";

/** How a run ended. Written once, after its log and outputs are complete. */
export interface RunOutcome {
  outcome: Outcome;
  exitCode?: number;
  outOfMemory?: boolean;
  /** One sentence for people. */
  reason?: string;
  startedAt?: string;
  finishedAt: string;
  stages: RunStage[];
  /** Files kept in `outputs/`, relative to it, with their size in bytes. */
  outputs: { path: string; bytes: number }[];
  logTruncated: boolean;
}

/** One line of a run's log, as stored (NDJSON) and as streamed. */
export interface LogLine {
  /** When the engine received it, ISO 8601 with nanoseconds. */
  at: string;
  stream: "out" | "err" | "platform";
  text: string;
}
