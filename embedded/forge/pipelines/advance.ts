import type { ForgeContext } from "../forge-context.ts";
import { announcePipeline } from "./announce.ts";
import { changeJob } from "./change-job.ts";
import type { CiJob, CiPipeline } from "./ci-records.ts";
import { compositeStatus, isActive, isComplete, type StatusPart } from "./state/composite-status.ts";
import { jobState, mayFail, newest } from "./state/job-state.ts";
import { isRetried, planStarts } from "./state/plan-starts.ts";

// Everything here runs within `serially`.

export interface JobResult {
  status: "success" | "failed" | "canceled";
  reason?: string;
  exitCode?: number;
  dotenv?: Record<string, string>;
  artifacts?: CiJob["artifacts"];
  startedAt?: string;
  finishedAt?: string;
}

/** Starts, skips and puts off what can be decided by now, and brings the pipeline's status up to date. */
export async function advance(context: ForgeContext, pipelineId: number): Promise<void> {
  const { store } = context.ci;
  const jobs = newest(store.jobsByPipeline.all(String(pipelineId)));
  for (const { id, to } of planStarts(jobs.map(jobState))) {
    if (to === "pending") await enqueue(context, id);
    else if (to === "scheduled") {
      const startInMs = store.jobs.get(id)?.plan.startInMs ?? 0;
      const scheduledAt = new Date(context.clock().getTime() + startInMs).toISOString();
      await changeJob(context, id, { status: "scheduled", scheduledAt });
    } else await changeJob(context, id, { status: to });
  }
  await settle(context, pipelineId);
}

/** A job may run: now, or once nobody else has what it must have for itself. */
export async function enqueue(context: ForgeContext, jobId: number): Promise<void> {
  const { ci, clock } = context;
  const job = ci.store.jobs.get(jobId);
  if (!job) return;
  const queuedAt = job.queuedAt ?? clock().toISOString();
  if (holderOf(context, job)) {
    await changeJob(context, jobId, { status: "waiting_for_resource", queuedAt, scheduledAt: null });
    return;
  }
  await changeJob(context, jobId, { status: "pending", queuedAt, scheduledAt: null });
  if (job.plan.trigger) ci.startDownstream(jobId);
  else ci.dispatch(jobId);
}

/** Another job that has the same resource group now. */
function holderOf(context: ForgeContext, job: CiJob): CiJob | undefined {
  const { resourceGroup } = job.plan;
  if (resourceGroup === null) return undefined;
  return groupOf(context, job).find(({ id, status }) => id !== job.id && status !== "waiting_for_resource");
}

function groupOf({ ci }: ForgeContext, { projectId, plan }: CiJob): CiJob[] {
  return ci.store.liveJobs
    .all("true")
    .filter(
      (each) =>
        each.projectId === projectId &&
        each.plan.resourceGroup === plan.resourceGroup &&
        isActive(each.status),
    );
}

/** The end of a job: tried again where it says so, and else the others go on. */
export async function finishJob(context: ForgeContext, jobId: number, result: JobResult): Promise<void> {
  const { ci, clock } = context;
  const before = ci.store.jobs.get(jobId);
  if (!before || isComplete(before.status)) return;
  const finishedAt = result.finishedAt ?? clock().toISOString();
  const job = await changeJob(context, jobId, {
    status: result.status,
    startedAt: before.startedAt ?? result.startedAt ?? null,
    finishedAt,
    failureReason: result.status === "failed" ? (result.reason ?? "unknown_failure") : null,
    exitCode: result.exitCode ?? null,
    dotenv: result.dotenv ?? {},
    artifacts: result.artifacts ?? null,
    tokenHash: null,
  });
  const failed = { attempts: job.attempt, reason: job.failureReason ?? "", exitCode: job.exitCode };
  if (job.status === "failed" && !job.retried && isRetried(job.plan.retry, failed)) {
    const again = await newAttempt(context, job, job.userId);
    await enqueue(context, again.id);
  }
  await releaseGroup(context, job);
  await advance(context, job.pipelineId);
}

/** The one that has waited longest gets what this one had for itself. */
async function releaseGroup(context: ForgeContext, job: CiJob): Promise<void> {
  if (job.plan.resourceGroup === null) return;
  const waiting = groupOf(context, job).filter(({ status }) => status === "waiting_for_resource");
  const [next] = waiting.sort((a, b) => a.id - b.id);
  if (!next) return;
  await enqueue(context, next.id);
  if (next.pipelineId !== job.pipelineId) await settle(context, next.pipelineId);
}

/** The same job once more; it takes the place of the old one. */
export async function newAttempt(context: ForgeContext, job: CiJob, userId: number): Promise<CiJob> {
  const { store } = context.ci;
  await store.jobs.update(job.id, { retried: true });
  return await store.jobs.insertAs({
    ...freshJob(job),
    id: await context.statuses.nextId(),
    attempt: job.attempt + 1,
    userId,
    createdAt: context.clock().toISOString(),
  });
}

/** What of a job is the same in each attempt. */
export function freshJob(
  job: Pick<CiJob, "pipelineId" | "projectId" | "plan" | "stageIndex" | "playVariables">,
): Omit<CiJob, "id" | "userId" | "createdAt"> {
  const { pipelineId, projectId, plan, stageIndex, playVariables } = job;
  return {
    pipelineId,
    projectId,
    plan,
    stageIndex,
    playVariables,
    status: "created",
    retried: false,
    attempt: 1,
    queuedAt: null,
    startedAt: null,
    finishedAt: null,
    erasedAt: null,
    scheduledAt: null,
    failureReason: null,
    exitCode: null,
    dotenv: {},
    artifacts: null,
    tokenHash: null,
    downstreamId: null,
  };
}

/** Brings a pipeline's status up to its jobs' and to that of external statuses on it; the bridge above it takes it over. */
export async function settle(context: ForgeContext, pipelineId: number): Promise<void> {
  const { ci, clock } = context;
  const before = ci.store.pipelines.get(pipelineId);
  if (!before || before.yamlErrors !== null) return;
  const jobs = newest(ci.store.jobsByPipeline.all(String(pipelineId)));
  const parts: StatusPart[] = [
    ...jobs.map((job) => ({ status: job.status, mayFail: mayFail(job) })),
    ...(await externalParts(context, before)),
  ];
  const status = compositeStatus(parts) ?? "skipped";
  if (status === before.status) return;
  const now = clock().toISOString();
  const begun = jobs.some(({ startedAt }) => startedAt !== null);
  const pipeline = await ci.store.pipelines.update(pipelineId, {
    status,
    updatedAt: now,
    startedAt: before.startedAt ?? (begun ? now : null),
    finishedAt: isComplete(status) ? now : null,
  });
  announcePipeline(context, pipeline);
  await tellBridge(context, pipeline);
}

async function externalParts(context: ForgeContext, pipeline: CiPipeline): Promise<StatusPart[]> {
  const { statuses } = await context.statuses.read(pipeline.projectId, pipeline.sha);
  return statuses
    .filter(({ pipelineId, retried }) => pipelineId === pipeline.id && !retried)
    .map(({ status }) => ({ status, mayFail: false }));
}

/** A bridge that depends on what it has started is as that is. */
export async function tellBridge(context: ForgeContext, { bridgeId, status }: CiPipeline): Promise<void> {
  const bridge = bridgeId === null ? undefined : context.ci.store.jobs.get(bridgeId);
  if (!bridge?.plan.trigger?.depends) return;
  if (isComplete(status)) {
    if (isComplete(bridge.status)) return;
    const ended = status === "failed" || status === "canceled" ? status : "success";
    await finishJob(context, bridge.id, { status: ended, reason: "downstream_pipeline_failed" });
  } else if (isComplete(bridge.status)) {
    // Somebody has tried the child again.
    await changeJob(context, bridge.id, { status: "running", finishedAt: null, failureReason: null });
    await settle(context, bridge.pipelineId);
  } else if (bridge.status !== "running" && bridge.status !== "canceling") {
    const startedAt = bridge.startedAt ?? context.clock().toISOString();
    await changeJob(context, bridge.id, { status: "running", startedAt });
    await settle(context, bridge.pipelineId);
  }
}
