import { ActionNeededError } from "#core/errors";
import type { PipelineState } from "#schemas/pipelines";
import type { ForgeProject } from "../forge.ts";
import {
  type ForgePipelines,
  type JobChange,
  maxTraceBytes,
  type NewPipeline,
  type Pipeline,
  type PipelineChange,
  type PipelineDetails,
  type PipelineJob,
} from "../forge-pipelines.ts";
import type { GitHubClient } from "./client.ts";
import { GitHubAnswer, isMissing, undefinedWhenMissing } from "./errors.ts";
import { at } from "./projects.ts";

/** The workflow that is started: GitHub has no single one for a repository. */
const workflow = "dtaas.yml";

interface RunReply {
  id: number;
  head_branch?: string | null;
  head_sha: string;
  status: string | null;
  conclusion: string | null;
  event: string;
  created_at: string;
  updated_at: string;
  run_started_at?: string;
  html_url: string;
  triggering_actor?: { login: string };
}

interface JobReply {
  id: number;
  run_id: number;
  name: string;
  status: string;
  conclusion: string | null;
  started_at?: string | null;
  completed_at?: string | null;
  html_url: string | null;
  workflow_name?: string | null;
}

/** Runs of GitHub Actions as pipelines; see `ForgePipelines`. There are no child pipelines, and no jobs that wait to be played. */
export function gitHubPipelines(
  own: GitHubClient,
  clientOf: (token: string) => GitHubClient,
): ForgePipelines {
  const as = (token: string | undefined) => (token === undefined ? own : clientOf(token));
  return {
    run: (project, { token, ...wish }) => runWorkflow(as(token), project, wish),
    list: (project, { token, ...page }) => listRuns(as(token), project, page),
    show: (project, id, token) => showRun(as(token), project, id),
    change: (project, { token, ...wish }) => changeRun(as(token), project, wish),
    job: (project, id, token) => findJob(as(token), project, id),
    changeJob: (project, { token, ...wish }) => changeJob(as(token), project, wish),
    trace: (project, job, { offset, token }) => readTrace(as(token), project, { job, offset }),
  };
}

/** Started with its inputs. GitHub says which run it has made; where it does not, nobody guesses. */
async function runWorkflow(
  client: GitHubClient,
  project: ForgeProject,
  { ref, variables, inputs }: Omit<NewPipeline, "token">,
): Promise<Pipeline> {
  const given = Object.entries({ ...variables, ...inputs });
  const texts = Object.fromEntries(
    given.map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
  );
  try {
    const asked = { ...at(project), workflow_id: workflow, ref, inputs: texts, return_run_details: true };
    const { data } = await client.request(
      "POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches",
      asked,
    );
    const id = (data as { workflow_run_id?: number } | undefined)?.workflow_run_id;
    const made = id === undefined ? undefined : await findRun(client, project, id);
    if (made) return toPipeline(made, project);
  } catch (error) {
    if (!(error instanceof GitHubAnswer)) throw error;
    const why = isMissing(error)
      ? `${project.path} has no workflow ${workflow} for this account`
      : error.message;
    throw new ActionNeededError("PIPELINE_REFUSED", `GitHub starts no run: ${why}`, {
      hint: `give a branch or tag that has .github/workflows/${workflow} with workflow_dispatch and these inputs`,
      cause: error,
    });
  }
  throw new ActionNeededError("PIPELINES_UNAVAILABLE", "This GitHub does not say which run it has started", {
    hint: "look for it on the page of the repository's actions",
  });
}

async function listRuns(
  client: GitHubClient,
  project: ForgeProject,
  { limit, ref }: { limit: number; ref?: string },
): Promise<Pipeline[]> {
  const branch = ref === undefined ? {} : { branch: ref };
  const asked = client.rest.actions.listWorkflowRunsForRepo({ ...at(project), ...branch, per_page: limit });
  const listed = (await undefinedWhenMissing(asked))?.data.workflow_runs ?? [];
  return listed.map((run) => toPipeline(run, project));
}

async function findRun(
  client: GitHubClient,
  project: ForgeProject,
  id: number,
): Promise<RunReply | undefined> {
  const asked = client.rest.actions.getWorkflowRun({ ...at(project), run_id: id });
  return (await undefinedWhenMissing(asked))?.data;
}

async function showRun(
  client: GitHubClient,
  project: ForgeProject,
  id: number,
): Promise<PipelineDetails | undefined> {
  const run = await findRun(client, project, id);
  if (run === undefined) return undefined;
  const isOver = run.status === "completed";
  return {
    ...toPipeline(run, project),
    startedAt: run.run_started_at,
    finishedAt: isOver ? run.updated_at : undefined,
    startedBy: run.triggering_actor?.login,
    problem:
      run.conclusion === "startup_failure"
        ? "GitHub could not start it: look at the workflow's file"
        : undefined,
    jobs: (await jobsOf(client, project, id)).map(toJob),
  };
}

async function jobsOf(client: GitHubClient, project: ForgeProject, run: number): Promise<JobReply[]> {
  const which = { ...at(project), run_id: run, filter: "latest" as const, per_page: 100 };
  const listed = client.paginate(client.rest.actions.listJobsForWorkflowRun, which);
  return (await undefinedWhenMissing(listed)) ?? [];
}

async function changeRun(
  client: GitHubClient,
  project: ForgeProject,
  { pipeline, change }: Omit<PipelineChange, "token">,
): Promise<Pipeline | undefined> {
  const which = { ...at(project), run_id: pipeline };
  const { cancelWorkflowRun, reRunWorkflowFailedJobs } = client.rest.actions;
  try {
    await (change === "cancel" ? cancelWorkflowRun(which) : reRunWorkflowFailedJobs(which));
  } catch (error) {
    if (isMissing(error)) return undefined;
    // 409: it has ended already.
    if (!(error instanceof GitHubAnswer) || error.status !== 409) throw error;
  }
  const run = await findRun(client, project, pipeline);
  return run && toPipeline(run, project);
}

async function findJob(
  client: GitHubClient,
  project: ForgeProject,
  id: number,
): Promise<PipelineJob | undefined> {
  const asked = client.rest.actions.getJobForWorkflowRun({ ...at(project), job_id: id });
  const found = (await undefinedWhenMissing(asked))?.data;
  return found && toJob(found);
}

async function changeJob(
  client: GitHubClient,
  project: ForgeProject,
  { job: id, change }: Omit<JobChange, "token">,
): Promise<PipelineJob | undefined> {
  const job = await findJob(client, project, id);
  if (job?.pipeline === undefined) return undefined;
  const hasEnded = ["succeeded", "failed", "cancelled", "skipped"].includes(job.state);
  if (change !== "retry" || !hasEnded) {
    throw new ActionNeededError("JOB_NOT_CHANGEABLE", `GitHub does not ${change} job ${id}`, {
      hint: "only a job that has ended can be retried; what runs is cancelled as a whole",
    });
  }
  await client.rest.actions.reRunJobForWorkflowRun({ ...at(project), job_id: id });
  const again = (await jobsOf(client, project, job.pipeline)).find(({ name }) => name === job.name);
  return again && toJob(again);
}

/** GitHub has the log of a job when it has ended; until then there is none. */
async function readTrace(
  client: GitHubClient,
  project: ForgeProject,
  { job, offset }: { job: number; offset: number },
): Promise<Buffer | undefined> {
  const { owner, repo } = at(project);
  const path = `/repos/${owner}/${repo}/actions/jobs/${job}/logs`;
  const log = await undefinedWhenMissing(client.readText(path, { offset, maxBytes: maxTraceBytes }));
  if (log !== undefined) return log;
  return (await findJob(client, project, job)) === undefined ? undefined : Buffer.alloc(0);
}

const ends: Readonly<Record<string, PipelineState>> = {
  success: "succeeded",
  failure: "failed",
  timed_out: "failed",
  startup_failure: "failed",
  action_required: "failed",
  cancelled: "cancelled",
};

function toState(status: string | null, conclusion: string | null): PipelineState {
  if (status === "completed") return ends[conclusion ?? ""] ?? "skipped";
  return status === "in_progress" ? "running" : "waiting";
}

function toPipeline(run: RunReply, project: ForgeProject): Pipeline {
  return {
    id: run.id,
    projectId: project.id,
    ref: run.head_branch ?? "",
    commit: run.head_sha,
    state: toState(run.status, run.conclusion),
    source: run.event,
    createdAt: run.created_at,
    webUrl: run.html_url,
  };
}

function toJob(job: JobReply): PipelineJob {
  return {
    id: job.id,
    pipeline: job.run_id,
    name: job.name,
    stage: job.workflow_name ?? "",
    state: toState(job.status, job.conclusion),
    allowFailure: false,
    startedAt: job.started_at ?? undefined,
    finishedAt: job.completed_at ?? undefined,
    reason: job.conclusion === "success" || job.conclusion === null ? undefined : job.conclusion,
    webUrl: job.html_url ?? "",
  };
}
