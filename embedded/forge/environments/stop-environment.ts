import type { ForgeContext } from "../forge-context.ts";
import type { CiJob, EnvironmentRecord } from "../pipelines/ci-records.ts";
import { playJob, retryJob } from "../pipelines/job-actions.ts";
import { isComplete } from "../pipelines/state/composite-status.ts";
import { newest } from "../pipelines/state/job-state.ts";
import type { UserRecord } from "../store/records.ts";

/** Stops an environment: by the job that its last deployment names (`on_stop`), or at once where there is none, or `force` says so. */
export async function stopEnvironment(
  context: ForgeContext,
  environment: EnvironmentRecord,
  user: UserRecord,
  { force = false } = {},
): Promise<EnvironmentRecord> {
  const { store } = context.ci;
  const job = force ? undefined : stopJob(context, environment);
  const updatedAt = context.clock().toISOString();
  if (!job)
    return await store.environments.update(environment.id, { state: "stopped", autoStopAt: null, updatedAt });
  const changed = await store.environments.update(environment.id, {
    state: "stopping",
    autoStopAt: null,
    updatedAt,
  });
  if (job.status === "manual" || job.status === "scheduled") await playJob(context, job.id, user);
  else if (isComplete(job.status) && job.status !== "skipped") await retryJob(context, job.id, user);
  return store.environments.get(environment.id) ?? changed;
}

function stopJob({ ci }: ForgeContext, environment: EnvironmentRecord): CiJob | undefined {
  const deployed = ci.store.deploymentsByEnvironment
    .all(String(environment.id))
    .findLast(({ status }) => status === "success");
  const job =
    deployed?.jobId === undefined || deployed.jobId === null ? undefined : ci.store.jobs.get(deployed.jobId);
  const name = job?.plan.environment?.onStop;
  if (!job || !name) return undefined;
  return newest(ci.store.jobsByPipeline.all(String(job.pipelineId))).find(({ plan }) => plan.name === name);
}

/** Stops those whose time is over, in the name of whoever deployed last. */
export async function stopDueEnvironments(context: ForgeContext): Promise<void> {
  const { store } = context.ci;
  const now = context.clock().getTime();
  for (const environment of store.environments.all()) {
    const { autoStopAt, state, id } = environment;
    if (autoStopAt === null || state !== "available" || Date.parse(autoStopAt) > now) continue;
    const last = store.deploymentsByEnvironment.all(String(id)).at(-1);
    const user = last && context.store.users.get(last.userId);
    if (user) await stopEnvironment(context, environment, user);
    else await store.environments.update(id, { state: "stopped", autoStopAt: null });
  }
}
