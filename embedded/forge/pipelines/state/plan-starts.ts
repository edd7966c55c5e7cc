import { type CiStatus, compositeStatus, isComplete } from "./composite-status.ts";

/** A job as far as others wait for it: its newest attempt. */
export interface JobState {
  id: number;
  name: string;
  /** Place of its stage among the stages. */
  stage: number;
  status: CiStatus;
  when: "on_success" | "on_failure" | "always" | "manual" | "delayed";
  mayFail: boolean;
  /** Names; `null`: everything in earlier stages. */
  needs: readonly { job: string; optional: boolean }[] | null;
}

export interface Start {
  id: number;
  /** `pending`: may run now. */
  to: "pending" | "manual" | "scheduled" | "skipped";
}

/** What becomes of the jobs that nothing has been decided about. Pure; what is skipped may decide about further ones at once. */
export function planStarts(jobs: readonly JobState[]): Start[] {
  const states = new Map(jobs.map((job) => [job.name, { ...job }]));
  const starts: Start[] = [];
  const undecided = [...states.values()].filter(({ status }) => status === "created");
  undecided.sort((a, b) => a.stage - b.stage);
  for (let again = true; again; ) {
    again = false;
    for (const job of undecided) {
      if (job.status !== "created") continue;
      const to = decide(job, states);
      if (to === undefined) continue;
      job.status = to;
      starts.push({ id: job.id, to });
      again = true;
    }
  }
  return starts;
}

function decide(job: JobState, states: ReadonlyMap<string, JobState>): Start["to"] | undefined {
  const dag = job.needs !== null;
  const before = priors(job, states);
  const status = compositeStatus(before, { dag }) ?? "success";
  // A composite tells of a failure before the others have ended.
  const isSettled = dag
    ? before.every((one) => isSettledFor(one))
    : isComplete(status) && before.every(isSettledFor);
  if (!isSettled) return undefined;
  if (!wants(job.when, status, dag)) return "skipped";
  if (job.when === "manual") return "manual";
  return job.when === "delayed" ? "scheduled" : "pending";
}

function priors(job: JobState, states: ReadonlyMap<string, JobState>): JobState[] {
  if (job.needs === null) return [...states.values()].filter(({ stage }) => stage < job.stage);
  return job.needs.flatMap(({ job: name }) => states.get(name) ?? []);
}

/** One that waits for somebody's hand, and holds nobody up, counts as if it were not there. */
function isSettledFor({ status, mayFail }: JobState): boolean {
  return isComplete(status) || (status === "manual" && mayFail);
}

function wants(when: JobState["when"], before: CiStatus, dag: boolean): boolean {
  switch (when) {
    case "always":
      return true;
    case "on_failure":
      return before === "failed";
    default:
      return before === "success" || (before === "skipped" && !dag);
  }
}

const retriable: Readonly<Record<string, readonly string[]>> = {
  script_failure: ["script_failure"],
  runner_system_failure: ["runner_system_failure"],
  job_execution_timeout: ["job_execution_timeout", "stuck_or_timeout_failure"],
};

/** Whether a job that has failed is tried again by itself. */
export function isRetried(
  retry: { max: number; when: readonly string[]; exitCodes: readonly number[] },
  failed: { attempts: number; reason: string; exitCode: number | null },
): boolean {
  if (failed.attempts > retry.max) return false;
  const byCode = failed.exitCode !== null && retry.exitCodes.includes(failed.exitCode);
  if (byCode) return true;
  if (retry.when.length === 0) return retry.exitCodes.length === 0;
  return (
    retry.when.includes("always") ||
    (retriable[failed.reason] ?? [failed.reason]).some((reason) => retry.when.includes(reason))
  );
}
