import type { PipelineState } from "#schemas/pipelines";
import type { ForgeProject } from "./forge.ts";

/** Pipelines of a project, each call with the caller's own token and rights; without a token with the platform's. */
export interface ForgePipelines {
  /**
   * Starts one. What the host does not start is `ActionNeededError("PIPELINE_REFUSED")` in its words: no such ref, a
   * file with mistakes, no job that would run. `PIPELINES_UNAVAILABLE`: the host cannot run any.
   */
  run(project: ForgeProject, wish: NewPipeline): Promise<Pipeline>;
  /** Newest first, children left out. */
  list(project: ForgeProject, page: { token?: string; limit: number; ref?: string }): Promise<Pipeline[]>;
  /** With its jobs, earlier attempts left out; which pipelines it has triggered is said by the host, never guessed. */
  show(project: ForgeProject, id: number, token?: string): Promise<PipelineDetails | undefined>;
  /** Cancelling one that has ended is no error. */
  change(project: ForgeProject, wish: PipelineChange): Promise<Pipeline | undefined>;
  job(project: ForgeProject, id: number, token?: string): Promise<PipelineJob | undefined>;
  /** `JOB_NOT_CHANGEABLE` where the job is in no state for it. Retrying gives another job. */
  changeJob(project: ForgeProject, wish: JobChange): Promise<PipelineJob | undefined>;
  /** What a job has printed, from a byte on, at most `maxTraceBytes` at once; empty where there is nothing more. */
  trace(
    project: ForgeProject,
    job: number,
    from: { offset: number; token?: string },
  ): Promise<Buffer | undefined>;
}

/** One answer of `trace`. */
export const maxTraceBytes = 1024 * 1024;

export interface NewPipeline {
  token: string;
  ref: string;
  variables: Readonly<Record<string, string>>;
  /** Values for `spec: inputs` of the project's pipeline. */
  inputs?: Readonly<Record<string, unknown>>;
}

export interface PipelineChange {
  token: string;
  pipeline: number;
  change: "cancel" | "retry";
}

export interface JobChange {
  token: string;
  job: number;
  change: "play" | "cancel" | "retry";
}

export interface Pipeline {
  id: number;
  projectId: number;
  ref: string;
  commit: string;
  state: PipelineState;
  /** What made it, in the host's words: push, web, api, schedule, ... */
  source: string;
  createdAt: string;
  webUrl: string;
}

export interface PipelineDetails extends Pipeline {
  startedAt: string | undefined;
  finishedAt: string | undefined;
  /** User name of who started it. */
  startedBy: string | undefined;
  /** What is wrong with the file. */
  problem: string | undefined;
  jobs: PipelineJob[];
}

export interface PipelineJob {
  id: number;
  /** `undefined` for a job that triggers, where the host does not say. */
  pipeline: number | undefined;
  name: string;
  stage: string;
  state: PipelineState;
  allowFailure: boolean;
  startedAt: string | undefined;
  finishedAt: string | undefined;
  /** Why it failed, in the host's words. */
  reason: string | undefined;
  webUrl: string;
  /** The job triggers a pipeline rather than running a script; `undefined` there: it has not been made. */
  triggers?: { pipeline: Pipeline | undefined };
}

/** Environments and their deployments, under the platform's own account. */
export interface ForgeEnvironments {
  /** Makes the environment, or gives it this address; one that was stopped is available again. */
  ensure(project: ForgeProject, wanted: { name: string; url: string }): Promise<ForgeEnvironment>;
  /** Without running what the project declares for it. One that is not there is stopped. */
  stop(project: ForgeProject, name: string): Promise<void>;
  deploy(project: ForgeProject, wanted: NewDeployment): Promise<{ id: number }>;
  /** A step that the host does not know, such as back from an end, is none, and no error. */
  setDeployment(project: ForgeProject, id: number, state: DeploymentState): Promise<void>;
}

export type DeploymentState = "running" | "succeeded" | "failed" | "cancelled";

export interface ForgeEnvironment {
  id: number;
  name: string;
  url: string | undefined;
  isStopped: boolean;
}

export interface NewDeployment {
  environment: string;
  commit: string;
  ref: string;
  state: DeploymentState;
}
