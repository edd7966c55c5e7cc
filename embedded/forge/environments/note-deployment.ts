import type { ForgeContext } from "../forge-context.ts";
import { announceDeployment } from "../pipelines/announce.ts";
import type {
  CiJob,
  DeploymentRecord,
  DeploymentStatus,
  EnvironmentRecord,
} from "../pipelines/ci-records.ts";
import { expandText } from "../pipelines/variables/expand.ts";
import { ensureEnvironment } from "./find-environment.ts";

const statuses: Partial<Record<CiJob["status"], DeploymentStatus>> = {
  running: "running",
  success: "success",
  failed: "failed",
  canceled: "canceled",
};

/** Keeps what a job's status means for the environment that it names. Only within `serially`. */
export async function noteDeployment(context: ForgeContext, job: CiJob): Promise<void> {
  const { environment } = job.plan;
  const status = statuses[job.status];
  if (environment === null || status === undefined) return;
  if (environment.action === "stop") {
    if (status === "success") await markStopped(context, job.projectId, environment.name);
    return;
  }
  if (environment.action !== "start") return;
  const found = await ensureEnvironment(context, job.projectId, environment);
  const deployment = await deploymentOf(context, job, found, status);
  if (!deployment) return;
  if (status === "success") await markDeployed(context, job, found);
  announceDeployment(context, deployment);
}

async function deploymentOf(
  context: ForgeContext,
  job: CiJob,
  environment: EnvironmentRecord,
  status: DeploymentStatus,
): Promise<DeploymentRecord | undefined> {
  const { store } = context.ci;
  const known = store.deploymentsByJob.first(String(job.id));
  if (known) return await changeDeployment(context, known.id, status);
  const pipeline = store.pipelines.get(job.pipelineId);
  if (!pipeline || status === "canceled") return undefined; // it was never begun
  return await createDeployment(context, {
    projectId: job.projectId,
    environmentId: environment.id,
    ref: pipeline.ref,
    tag: pipeline.tag,
    sha: pipeline.sha,
    status,
    userId: job.userId,
    jobId: job.id,
  });
}

export async function createDeployment(
  context: ForgeContext,
  wanted: Omit<DeploymentRecord, "id" | "iid" | "createdAt" | "updatedAt">,
): Promise<DeploymentRecord> {
  const { store } = context.ci;
  const now = context.clock().toISOString();
  const last = store.deploymentsByProject.all(String(wanted.projectId)).at(-1);
  const iid = (last?.iid ?? 0) + 1;
  return await store.deployments.insert((id) => ({ ...wanted, id, iid, createdAt: now, updatedAt: now }));
}

export async function changeDeployment(
  context: ForgeContext,
  id: number,
  status: DeploymentStatus,
): Promise<DeploymentRecord> {
  return await context.ci.store.deployments.update(id, { status, updatedAt: context.clock().toISOString() });
}

async function markDeployed(
  context: ForgeContext,
  job: CiJob,
  environment: EnvironmentRecord,
): Promise<void> {
  const plan = job.plan.environment;
  const now = context.clock();
  const url = plan?.url === null || plan === null ? null : expandText(plan.url, job.dotenv);
  const stopsAfterMs = plan?.autoStopInMs ?? null;
  await context.ci.store.environments.update(environment.id, {
    state: "available",
    updatedAt: now.toISOString(),
    ...(url !== null && /^https?:\/\//.test(url) ? { externalUrl: url } : {}),
    autoStopAt: stopsAfterMs === null ? null : new Date(now.getTime() + stopsAfterMs).toISOString(),
  });
}

async function markStopped(context: ForgeContext, projectId: number, name: string): Promise<void> {
  const found = await ensureEnvironment(context, projectId, { name });
  await context.ci.store.environments.update(found.id, {
    state: "stopped",
    autoStopAt: null,
    updatedAt: context.clock().toISOString(),
  });
}
