import type { CiJob, CiPipeline } from "./ci-records.ts";

/** Seconds from one time to another, or to now where there is no other yet; `null` where it has not begun. */
export function secondsBetween(from: string | null, to: string | null, now: Date): number | null {
  if (from === null) return null;
  const end = to === null ? now.getTime() : Date.parse(to);
  return Math.max(0, end - Date.parse(from)) / 1_000;
}

export function jobDuration(job: CiJob, now: Date): number | null {
  return secondsBetween(job.startedAt, job.finishedAt, now);
}

/** How long a job has waited for a runner. */
export function queuedDuration(job: CiJob, now: Date): number | null {
  return secondsBetween(job.queuedAt, job.startedAt ?? job.finishedAt, now);
}

/** Whole seconds, and only once it has ended. */
export function pipelineDuration({ startedAt, finishedAt }: CiPipeline): number | null {
  if (startedAt === null || finishedAt === null) return null;
  return Math.round(Math.max(0, Date.parse(finishedAt) - Date.parse(startedAt)) / 1_000);
}

export function pipelineQueued({ createdAt, startedAt }: CiPipeline): number | null {
  return startedAt === null
    ? null
    : Math.round(Math.max(0, Date.parse(startedAt) - Date.parse(createdAt)) / 1_000);
}
