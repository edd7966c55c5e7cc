import type { ForgeContext } from "../forge-context.ts";
import { ApiError, badRequest, forbidden } from "../http/api-error.ts";
import type { UserRecord } from "../store/records.ts";
import { advance, enqueue, finishJob, newAttempt, settle } from "./advance.ts";
import { changeJob } from "./change-job.ts";
import type { CiJob, CiPipeline, GivenVariable } from "./ci-records.ts";
import { isComplete } from "./state/composite-status.ts";
import { newest } from "./state/job-state.ts";

/** Starts a job that waits for a hand, or does not wait any longer for its time. Throws 400 for another one. */
export function playJob(
  context: ForgeContext,
  jobId: number,
  user: UserRecord,
  variables: GivenVariable[] = [],
): Promise<CiJob> {
  return context.ci.serially(async () => {
    const job = existing(context, jobId);
    if ((job.status !== "manual" && job.status !== "scheduled") || job.retried) {
      throw badRequest("400 Bad request - Unplayable Job");
    }
    await context.ci.store.jobs.update(jobId, { userId: user.id, playVariables: variables });
    await reopenAfter(context, job);
    await enqueue(context, jobId);
    await advance(context, job.pipelineId);
    return existing(context, jobId);
  });
}

/** Makes another attempt of a job that has ended. Throws 403 for one that has not. */
export function retryJob(context: ForgeContext, jobId: number, user: UserRecord): Promise<CiJob> {
  return context.ci.serially(async () => {
    const job = existing(context, jobId);
    if (!isComplete(job.status) || job.status === "skipped" || job.retried) {
      throw forbidden("Job is not retryable");
    }
    const again = await newAttempt(context, job, user.id);
    await reopenAfter(context, again);
    await enqueue(context, again.id);
    await advance(context, job.pipelineId);
    return existing(context, again.id);
  });
}

/** Ends a job: at once where it has not begun, else as soon as its `after_script` has run. */
export function cancelJob(context: ForgeContext, jobId: number, { force = false } = {}): Promise<CiJob> {
  return context.ci.serially(async () => {
    const job = existing(context, jobId);
    await cancel(context, job, force);
    await advance(context, job.pipelineId);
    return existing(context, jobId);
  });
}

export function cancelPipeline(context: ForgeContext, pipelineId: number): Promise<CiPipeline | undefined> {
  return context.ci.serially(async () => {
    await cancelAll(context, pipelineId);
    return context.ci.store.pipelines.get(pipelineId);
  });
}

/** Makes new attempts of what has failed or was ended, and gives those after it another chance. */
export function retryPipeline(
  context: ForgeContext,
  pipelineId: number,
  user: UserRecord,
): Promise<CiPipeline | undefined> {
  return context.ci.serially(async () => {
    const { store } = context.ci;
    const jobs = newest(store.jobsByPipeline.all(String(pipelineId)));
    for (const job of jobs.filter(({ status }) => status === "failed" || status === "canceled")) {
      const again = await newAttempt(context, job, user.id);
      await reopenAfter(context, again);
    }
    await advance(context, pipelineId);
    return store.pipelines.get(pipelineId);
  });
}

/** Within `serially`. */
export async function cancelAll(context: ForgeContext, pipelineId: number): Promise<void> {
  const jobs = newest(context.ci.store.jobsByPipeline.all(String(pipelineId)));
  // Later ones first, so that none of them begins because an earlier one has ended.
  for (const job of jobs.reverse()) await cancel(context, job, false);
  await settle(context, pipelineId);
}

async function cancel(context: ForgeContext, job: CiJob, force: boolean): Promise<void> {
  const { ci } = context;
  const { status } = job;
  if (isComplete(status) || status === "manual") return;
  if (job.downstreamId !== null) {
    await cancelAll(context, job.downstreamId);
    if (isComplete(ci.store.jobs.get(job.id)?.status ?? "canceled")) return;
  }
  const isRunning = status === "running" || status === "canceling";
  if (!isRunning || force || job.plan.trigger) {
    if (isRunning || status === "pending")
      ci.inBackground("a job is taken back", () => takeBack(context, job.id));
    await finishJob(context, job.id, { status: "canceled" });
    return;
  }
  if (status === "running") await changeJob(context, job.id, { status: "canceling" });
  ci.inBackground("a job is to end", async () => await ci.exchange?.cancel(job.id));
}

async function takeBack({ ci }: ForgeContext, jobId: number): Promise<void> {
  const { exchange, files } = ci;
  await exchange?.cancel(jobId);
  if (exchange) await files.keep(exchange.tracePath(jobId), files.tracePath(jobId), jobId);
  await exchange?.remove(jobId);
}

/** What was skipped because this job had not run is open again. */
async function reopenAfter(context: ForgeContext, job: CiJob): Promise<void> {
  const jobs = newest(context.ci.store.jobsByPipeline.all(String(job.pipelineId)));
  const reopened = new Set([job.plan.name]);
  for (const each of jobs.sort((a, b) => a.stageIndex - b.stageIndex)) {
    const { needs, name } = each.plan;
    const isAfter =
      needs === null ? each.stageIndex > job.stageIndex : needs.some((need) => reopened.has(need.job));
    if (!isAfter || each.id === job.id) continue;
    reopened.add(name);
    if (each.status === "skipped") await changeJob(context, each.id, { status: "created" });
  }
}

function existing({ ci }: ForgeContext, jobId: number): CiJob {
  const job = ci.store.jobs.get(jobId);
  if (!job) throw new ApiError(404, { message: "404 Not found" });
  return job;
}
