import { join } from "node:path";
import { Collection, type Index } from "../store/collection.ts";
import type {
  CiJob,
  CiPipeline,
  DeploymentRecord,
  EnvironmentRecord,
  ScheduleRecord,
  TriggerRecord,
} from "./ci-records.ts";

/** What pipelines leave on disk. Keys of indexes are ids unless it is said. */
export interface CiStore {
  pipelines: Collection<CiPipeline>;
  pipelinesByProject: Index<CiPipeline>;
  /** Key: `<project id>:<commit>`. */
  pipelinesByCommit: Index<CiPipeline>;
  jobs: Collection<CiJob>;
  jobsByPipeline: Index<CiJob>;
  jobsByProject: Index<CiJob>;
  /** Those that are waited for, under the key `true`. */
  liveJobs: Index<CiJob>;
  jobsByToken: Index<CiJob>;
  triggers: Collection<TriggerRecord>;
  triggersByProject: Index<TriggerRecord>;
  schedules: Collection<ScheduleRecord>;
  schedulesByProject: Index<ScheduleRecord>;
  environments: Collection<EnvironmentRecord>;
  environmentsByProject: Index<EnvironmentRecord>;
  deployments: Collection<DeploymentRecord>;
  deploymentsByProject: Index<DeploymentRecord>;
  deploymentsByEnvironment: Index<DeploymentRecord>;
  deploymentsByJob: Index<DeploymentRecord>;
}

const live = ["waiting_for_resource", "pending", "running", "canceling", "scheduled"];

export async function openCiStore(folder: string): Promise<CiStore> {
  const [pipelines, jobs, triggers, schedules, environments, deployments] = await Promise.all([
    Collection.open<CiPipeline>(join(folder, "pipelines")),
    Collection.open<CiJob>(join(folder, "jobs")),
    Collection.open<TriggerRecord>(join(folder, "triggers")),
    Collection.open<ScheduleRecord>(join(folder, "schedules")),
    Collection.open<EnvironmentRecord>(join(folder, "environments")),
    Collection.open<DeploymentRecord>(join(folder, "deployments")),
  ]);
  const byProject = (each: { projectId: number }) => String(each.projectId);
  return {
    pipelines,
    pipelinesByProject: pipelines.indexBy(byProject),
    pipelinesByCommit: pipelines.indexBy(({ projectId, sha }) => `${projectId}:${sha}`),
    jobs,
    jobsByPipeline: jobs.indexBy(({ pipelineId }) => String(pipelineId)),
    jobsByProject: jobs.indexBy(byProject),
    liveJobs: jobs.indexBy(({ status }) => String(live.includes(status))),
    jobsByToken: jobs.indexBy(({ tokenHash }) => tokenHash ?? ""),
    triggers,
    triggersByProject: triggers.indexBy(byProject),
    schedules,
    schedulesByProject: schedules.indexBy(byProject),
    environments,
    environmentsByProject: environments.indexBy(byProject),
    deployments,
    deploymentsByProject: deployments.indexBy(byProject),
    deploymentsByEnvironment: deployments.indexBy(({ environmentId }) => String(environmentId)),
    deploymentsByJob: deployments.indexBy(({ jobId }) => String(jobId)),
  };
}
