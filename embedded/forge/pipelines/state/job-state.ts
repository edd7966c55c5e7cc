import type { CiJob } from "../ci-records.ts";
import type { JobState } from "./plan-starts.ts";

/** Whether its failure, or its waiting for a hand, holds others up. */
export function mayFail({ plan, exitCode, status }: Pick<CiJob, "plan" | "exitCode" | "status">): boolean {
  const { allowFailure } = plan;
  if (typeof allowFailure === "boolean") return allowFailure;
  return status === "failed" && exitCode !== null && allowFailure.includes(exitCode);
}

export function jobState(job: CiJob): JobState {
  const { id, plan, stageIndex: stage, status } = job;
  return { id, name: plan.name, stage, status, when: plan.when, mayFail: mayFail(job), needs: plan.needs };
}

/** The newest attempts. */
export function newest(jobs: readonly CiJob[]): CiJob[] {
  return jobs.filter(({ retried }) => !retried);
}
