import type { JobPlan } from "./config/job-plan.ts";
import type { CiStatus } from "./state/composite-status.ts";

export type PipelineSource =
  | "push"
  | "web"
  | "trigger"
  | "schedule"
  | "api"
  | "pipeline"
  | "parent_pipeline"
  | "merge_request_event";

export const pipelineSources = [
  "push",
  "web",
  "trigger",
  "schedule",
  "api",
  "pipeline",
  "parent_pipeline",
  "merge_request_event",
] as const satisfies PipelineSource[];

/** A variable that somebody gave with a pipeline, a schedule or a play. */
export interface GivenVariable {
  key: string;
  value: string;
  type: "env_var" | "file";
  raw: boolean;
}

/** What a pipeline of a merge request knows of it. */
export interface MergeRequestOfPipeline {
  iid: number;
  sourceBranch: string;
  targetBranch: string;
  sourceProjectId: number;
  /** Commit of the target branch that it is compared with. */
  diffBaseSha: string;
  title: string;
}

export interface CiPipeline {
  readonly id: number;
  projectId: number;
  iid: number;
  /** A branch or a tag; of a merge request its `refs/merge-requests/:iid/head`. */
  ref: string;
  tag: boolean;
  sha: string;
  beforeSha: string;
  source: PipelineSource;
  userId: number;
  name: string | null;
  status: CiStatus;
  yamlErrors: string | null;
  variables: GivenVariable[];
  /** Of the files: `variables:` at the top and of the workflow. */
  yamlVariables: Record<string, string>;
  stages: string[];
  autoCancel: "conservative" | "interruptible" | "none";
  /** The bridge that started it. */
  bridgeId: number | null;
  mergeRequest: MergeRequestOfPipeline | null;
  createdAt: string;
  updatedAt: string;
  startedAt: string | null;
  finishedAt: string | null;
}

export interface CiJob {
  readonly id: number;
  pipelineId: number;
  projectId: number;
  /** With the environment's name and the resource group expanded. */
  plan: JobPlan;
  /** Place of its stage. */
  stageIndex: number;
  status: CiStatus;
  /** Another attempt has taken its place. */
  retried: boolean;
  /** 1 for the first. */
  attempt: number;
  userId: number;
  /** Given with the play. */
  playVariables: GivenVariable[];
  createdAt: string;
  queuedAt: string | null;
  startedAt: string | null;
  finishedAt: string | null;
  erasedAt: string | null;
  /** When a delayed one is due. */
  scheduledAt: string | null;
  failureReason: string | null;
  exitCode: number | null;
  /** Variables that it has left for later jobs. */
  dotenv: Record<string, string>;
  artifacts: { bytes: number; expiresAt: string | null } | null;
  /** SHA-256 of its token while it runs. */
  tokenHash: string | null;
  /** The pipeline that a bridge has started. */
  downstreamId: number | null;
}

export interface TriggerRecord {
  readonly id: number;
  projectId: number;
  ownerId: number;
  description: string;
  /** Kept as it is: its owner can see it again, as in GitLab. */
  token: string;
  createdAt: string;
  lastUsedAt: string | null;
}

export interface ScheduleRecord {
  readonly id: number;
  projectId: number;
  ownerId: number;
  description: string;
  ref: string;
  cron: string;
  timezone: string;
  active: boolean;
  variables: GivenVariable[];
  nextRunAt: string | null;
  lastPipelineId: number | null;
  createdAt: string;
  updatedAt: string;
}

export interface EnvironmentRecord {
  readonly id: number;
  projectId: number;
  name: string;
  slug: string;
  description: string | null;
  externalUrl: string | null;
  state: "available" | "stopping" | "stopped";
  tier: string;
  autoStopAt: string | null;
  createdAt: string;
  updatedAt: string;
}

export type DeploymentStatus = "created" | "running" | "success" | "failed" | "canceled";

export interface DeploymentRecord {
  readonly id: number;
  projectId: number;
  iid: number;
  environmentId: number;
  ref: string;
  tag: boolean;
  sha: string;
  status: DeploymentStatus;
  userId: number;
  /** The job that deploys; `null` for one made through the API. */
  jobId: number | null;
  createdAt: string;
  updatedAt: string;
}
