import type { ForgeContext } from "../forge-context.ts";
import { bridgeJson, jobJson } from "../jobs/job-json.ts";
import type { DeploymentRecord, EnvironmentRecord } from "../pipelines/ci-records.ts";
import { userBasicJsonById } from "../users/user-json.ts";

/** An environment as in lists. */
export function environmentJson(environment: EnvironmentRecord) {
  return {
    id: environment.id,
    name: environment.name,
    slug: environment.slug,
    description: environment.description,
    external_url: environment.externalUrl,
    state: environment.state,
    tier: environment.tier,
    created_at: environment.createdAt,
    updated_at: environment.updatedAt,
    auto_stop_at: environment.autoStopAt,
    auto_stop_setting: "always",
  };
}

/** With its last good deployment. */
export function environmentDetailJson(context: ForgeContext, environment: EnvironmentRecord) {
  const last = context.ci.store.deploymentsByEnvironment
    .all(String(environment.id))
    .findLast(({ status }) => status === "success");
  return { ...environmentJson(environment), last_deployment: last ? deploymentJson(context, last) : null };
}

export function deploymentJson(context: ForgeContext, deployment: DeploymentRecord) {
  const environment = context.ci.store.environments.get(deployment.environmentId);
  const job = deployment.jobId === null ? undefined : context.ci.store.jobs.get(deployment.jobId);
  return {
    id: deployment.id,
    iid: deployment.iid,
    ref: deployment.ref,
    sha: deployment.sha,
    created_at: deployment.createdAt,
    updated_at: deployment.updatedAt,
    status: deployment.status,
    user: userBasicJsonById(context, deployment.userId),
    environment: environment ? environmentJson(environment) : null,
    deployable: job ? (job.plan.trigger ? bridgeJson(context, job) : jobJson(context, job)) : null,
    pending_approval_count: 0,
    approvals: [],
  };
}
