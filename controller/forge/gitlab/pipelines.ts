import { ActionNeededError } from "#core/errors";
import type { PipelineState } from "#schemas/pipelines";
import type { ForgeProject } from "../forge.ts";
import {
  type JobChange,
  maxTraceBytes,
  type NewPipeline,
  type Pipeline,
  type PipelineChange,
  type PipelineDetails,
  type PipelineJob,
} from "../forge-pipelines.ts";
import type { GitLabClient } from "./client.ts";
import { GitLabAnswer, undefinedWhenMissing } from "./errors.ts";

const maxJobPages = 3; // of 100 jobs; more are not looked at

interface PipelineReply {
  id: number;
  project_id: number;
  ref: string;
  sha: string;
  status: string;
  source?: string;
  created_at: string;
  web_url: string;
  started_at?: string | null;
  finished_at?: string | null;
  user?: { username: string } | null;
  yaml_errors?: string | null;
}

interface JobReply {
  id: number;
  name: string;
  stage: string;
  status: string;
  allow_failure?: boolean;
  started_at?: string | null;
  finished_at?: string | null;
  failure_reason?: string;
  web_url: string;
  pipeline?: { id: number } | null;
  /** Of bridges only. */
  downstream_pipeline?: PipelineReply | null;
}

/** See `ForgePipelines.run`. gitbeaker would change the names of inputs, so the request is our own. */
export async function runPipeline(
  client: GitLabClient,
  project: ForgeProject,
  { ref, variables, inputs }: Omit<NewPipeline, "token">,
): Promise<Pipeline> {
  const body = {
    ref,
    variables: Object.entries(variables).map(([key, value]) => ({ key, value })),
    ...(inputs === undefined ? {} : { inputs }),
  };
  try {
    return toPipeline((await client.post(`projects/${project.id}/pipeline`, body)) as PipelineReply);
  } catch (error) {
    if (!(error instanceof GitLabAnswer)) throw error;
    throw notRun(error, project);
  }
}

export async function listPipelines(
  client: GitLabClient,
  project: ForgeProject,
  { limit, ref }: { limit: number; ref?: string },
): Promise<Pipeline[]> {
  const options = { perPage: limit, page: 1, ...(ref === undefined ? {} : { ref }) };
  const listed = await undefinedWhenMissing(client.pipelines.all(project.id, options));
  return ((listed ?? []) as unknown as PipelineReply[]).map(toPipeline);
}

export async function showPipeline(
  client: GitLabClient,
  project: ForgeProject,
  id: number,
): Promise<PipelineDetails | undefined> {
  const found = await undefinedWhenMissing(client.pipelines.show(project.id, id));
  if (found === undefined) return undefined;
  const reply = found as unknown as PipelineReply;
  const pages = { perPage: 100, maxPages: maxJobPages };
  const [jobs, bridges] = await Promise.all([
    undefinedWhenMissing(client.jobs.all(project.id, { pipelineId: id, ...pages } as never)),
    undefinedWhenMissing(client.jobs.allPipelineBridges(project.id, id, pages as never)),
  ]);
  const all = [...(jobs ?? []), ...(bridges ?? [])] as unknown as JobReply[];
  return {
    ...toPipeline(reply),
    startedAt: reply.started_at ?? undefined,
    finishedAt: reply.finished_at ?? undefined,
    startedBy: reply.user?.username,
    problem: reply.yaml_errors ?? undefined,
    jobs: all.map(toJob).sort((a, b) => a.id - b.id),
  };
}

export async function changePipeline(
  client: GitLabClient,
  project: ForgeProject,
  { pipeline, change }: Omit<PipelineChange, "token">,
): Promise<Pipeline | undefined> {
  const asked = client.pipelines[change](project.id, pipeline);
  const reply = await undefinedWhenMissing(asked);
  return reply === undefined ? undefined : toPipeline(reply as unknown as PipelineReply);
}

export async function findJob(
  client: GitLabClient,
  project: ForgeProject,
  id: number,
): Promise<PipelineJob | undefined> {
  const found = await undefinedWhenMissing(client.jobs.show(project.id, id));
  return found === undefined ? undefined : toJob(found as unknown as JobReply);
}

export async function changeJob(
  client: GitLabClient,
  project: ForgeProject,
  { job, change }: Omit<JobChange, "token">,
): Promise<PipelineJob | undefined> {
  try {
    const asked =
      change === "play" ? client.jobs.play(project.id, job) : client.jobs[change](project.id, job);
    const reply = await undefinedWhenMissing<unknown>(asked as Promise<unknown>);
    return reply === undefined ? undefined : toJob(reply as JobReply);
  } catch (error) {
    if (!(error instanceof GitLabAnswer)) throw error;
    throw new ActionNeededError(
      "JOB_NOT_CHANGEABLE",
      `GitLab does not ${change} job ${job}: ${error.message}`,
      {
        hint: "look at its state; what has ended can be retried, what waits for a person can be played",
        cause: error,
      },
    );
  }
}

export async function readTrace(
  client: GitLabClient,
  project: ForgeProject,
  { job, offset }: { job: number; offset: number },
): Promise<Buffer | undefined> {
  const asked = client.readText(`projects/${project.id}/jobs/${job}/trace`, {
    offset,
    maxBytes: maxTraceBytes,
  });
  return await undefinedWhenMissing(asked);
}

function notRun(error: GitLabAnswer, project: ForgeProject): ActionNeededError {
  if (error.status === 404) {
    return new ActionNeededError(
      "PROJECT_NOT_FOUND",
      `GitLab has no project ${project.path} for this account`,
    );
  }
  if (error.status === 501) {
    return new ActionNeededError("PIPELINES_UNAVAILABLE", `the Git host runs no pipelines: ${error.message}`);
  }
  return new ActionNeededError("PIPELINE_REFUSED", `GitLab starts no pipeline: ${wordsIn(error.message)}`, {
    hint: "give a branch or tag that has a .gitlab-ci.yml with a job for these variables",
    cause: error,
  });
}

/** `{"base":["Reference not found"]}` is how GitLab writes it. */
function wordsIn(message: string): string {
  try {
    return Object.values(JSON.parse(message) as object)
      .flat()
      .map(String)
      .join("; ");
  } catch {
    return message;
  }
}

const states: Readonly<Record<string, PipelineState>> = {
  running: "running",
  success: "succeeded",
  failed: "failed",
  canceling: "cancelling",
  canceled: "cancelled",
  skipped: "skipped",
  manual: "manual",
  scheduled: "delayed",
};

/** A state that we do not know is one before the end, as all of the others are. */
function toState(status: string): PipelineState {
  return states[status] ?? "waiting";
}

function toPipeline(reply: PipelineReply): Pipeline {
  return {
    id: reply.id,
    projectId: reply.project_id,
    ref: reply.ref,
    commit: reply.sha,
    state: toState(reply.status),
    source: reply.source ?? "unknown",
    createdAt: reply.created_at,
    webUrl: reply.web_url,
  };
}

function toJob(reply: JobReply): PipelineJob {
  return {
    id: reply.id,
    pipeline: reply.pipeline?.id,
    name: reply.name,
    stage: reply.stage,
    state: toState(reply.status),
    allowFailure: reply.allow_failure ?? false,
    startedAt: reply.started_at ?? undefined,
    finishedAt: reply.finished_at ?? undefined,
    reason: reply.failure_reason,
    webUrl: reply.web_url,
    ...(reply.downstream_pipeline === undefined
      ? {}
      : {
          triggers: {
            pipeline: reply.downstream_pipeline === null ? undefined : toPipeline(reply.downstream_pipeline),
          },
        }),
  };
}
