import type { CiJobOutcomeDocument } from "#schemas/generated/ci-job-outcome";
import type { ForgeContext } from "../forge-context.ts";
import { finishJob, settle } from "../pipelines/advance.ts";
import { changeJob } from "../pipelines/change-job.ts";
import { isComplete } from "../pipelines/state/composite-status.ts";

const defaultExpiryMs = 30 * 24 * 3_600_000; // of artifacts, as on GitLab's own hosts

/** What the runner has said of a job becomes the job's status. May be said again. */
export async function takeOutcome(context: ForgeContext, jobId: number): Promise<void> {
  const { exchange, store, files, serially } = context.ci;
  const outcome = await exchange?.outcome(jobId);
  if (!exchange || !outcome) return;
  const job = store.jobs.get(jobId);
  if (!job || isComplete(job.status)) return await exchange.remove(jobId);
  if (outcome.state === "running") {
    await serially(async () => {
      if (store.jobs.get(jobId)?.status !== "pending") return;
      await changeJob(context, jobId, { status: "running", startedAt: outcome.startedAt });
      await settle(context, job.pipelineId);
    });
    return;
  }
  await files.keep(exchange.tracePath(jobId), files.tracePath(jobId), jobId);
  const hasArtifacts =
    outcome.artifactBytes !== undefined &&
    (await files.keep(exchange.artifactsPath(jobId), files.artifactsPath(jobId), jobId));
  await serially(() => finish(context, jobId, outcome, hasArtifacts));
  await exchange.remove(jobId);
}

async function finish(
  context: ForgeContext,
  jobId: number,
  outcome: CiJobOutcomeDocument,
  hasArtifacts: boolean,
): Promise<void> {
  const job = context.ci.store.jobs.get(jobId);
  if (!job || outcome.state === "running") return;
  // It may have ended so quickly that nobody has seen it run.
  if (job.status === "pending") {
    await changeJob(context, jobId, { status: "running", startedAt: outcome.startedAt });
  }
  const expireInMs = job.plan.artifacts?.expireInMs ?? defaultExpiryMs;
  await finishJob(context, jobId, {
    status: job.status === "canceling" && outcome.state === "failed" ? "canceled" : outcome.state,
    startedAt: outcome.startedAt,
    ...(outcome.finishedAt === undefined ? {} : { finishedAt: outcome.finishedAt }),
    ...(outcome.exitCode === undefined ? {} : { exitCode: outcome.exitCode }),
    ...(outcome.failureReason === undefined ? {} : { reason: outcome.failureReason }),
    ...(outcome.dotenv === undefined ? {} : { dotenv: outcome.dotenv }),
    artifacts: hasArtifacts
      ? {
          bytes: outcome.artifactBytes ?? 0,
          expiresAt: new Date(context.clock().getTime() + expireInMs).toISOString(),
        }
      : null,
  });
}
