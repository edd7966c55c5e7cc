import { stopDueEnvironments } from "../environments/stop-environment.ts";
import type { ForgeContext } from "../forge-context.ts";
import { advance, enqueue, finishJob } from "./advance.ts";
import { runDueSchedules } from "./run-schedule.ts";

const pendingMs = 3_600_000; // that long without a runner, and a job is stuck, as in GitLab
const overdueMs = 5 * 60_000; // beyond its time limit, which the runner keeps: then the runner is gone

/** What is due by the clock: delayed jobs, schedules, environments, artifacts; and what has waited for too long. */
export async function keepTime(context: ForgeContext): Promise<void> {
  const { store, serially } = context.ci;
  const now = context.clock().getTime();
  const isPast = (time: string | null, ms = 0) => time !== null && Date.parse(time) + ms <= now;
  for (const job of store.liveJobs.all("true")) {
    const { id, status, scheduledAt, queuedAt, startedAt, plan } = job;
    const isOverdue = isPast(startedAt, (plan.timeoutMs ?? 3_600_000) + overdueMs);
    if (status === "scheduled" && isPast(scheduledAt)) {
      await serially(async () => {
        if (store.jobs.get(id)?.status !== "scheduled") return;
        await enqueue(context, id);
        await advance(context, job.pipelineId);
      });
    } else if (plan.trigger) {
      // A bridge waits as long as what it has started.
    } else if (status === "pending" && isPast(queuedAt, pendingMs)) {
      await fail(context, id, "stuck_or_timeout_failure");
    } else if ((status === "running" || status === "canceling") && isOverdue) {
      await fail(context, id, "runner_system_failure");
    }
  }
  await runDueSchedules(context);
  await stopDueEnvironments(context);
}

async function fail(context: ForgeContext, jobId: number, reason: string): Promise<void> {
  const { exchange, serially } = context.ci;
  await exchange?.remove(jobId);
  await serially(() => finishJob(context, jobId, { status: "failed", reason }));
}

/** Artifacts whose time is over. */
export async function expireArtifacts(context: ForgeContext): Promise<void> {
  const { store, files, serially } = context.ci;
  const now = context.clock().getTime();
  const due = store.jobs
    .all()
    .filter(({ artifacts }) => artifacts?.expiresAt && Date.parse(artifacts.expiresAt) <= now);
  for (const { id } of due) {
    await files.removeArtifacts(id);
    await serially(async () => {
      if (store.jobs.get(id)) await store.jobs.update(id, { artifacts: null });
    });
  }
}
