import { ensureEnvironment } from "../environments/find-environment.ts";
import type { ForgeContext } from "../forge-context.ts";
import type { ProjectRecord } from "../store/records.ts";
import { freshJob } from "./advance.ts";
import { announcePipeline } from "./announce.ts";
import type { CiPipeline } from "./ci-records.ts";
import type { JobPlan, PipelinePlan } from "./config/job-plan.ts";
import type { NewPipeline } from "./create-pipeline.ts";
import { forgetPipeline } from "./forget-pipeline.ts";
import { isComplete } from "./state/composite-status.ts";
import { expandAll, expandText } from "./variables/expand.ts";
import { type PipelineFacts, predefinedOfJob } from "./variables/predefined.ts";

const maxKept = 200; // of a project, with traces and artifacts; older ones that have ended are forgotten

/** Keeps a pipeline and its jobs, none of which has begun. Only within `serially`. */
export async function insertPipeline(
  context: ForgeContext,
  wanted: NewPipeline,
  facts: PipelineFacts,
  plan: PipelinePlan,
  variables: Readonly<Record<string, string>>,
): Promise<CiPipeline> {
  const { store } = context.ci;
  const id = await context.statuses.nextId();
  const all = { ...plan.variables, ...variables };
  const name = plan.name === null ? null : expandText(plan.name, expandAll(all)).slice(0, 255);
  // Its jobs first: a crash then leaves jobs that no pipeline has, which the next start clears away.
  for (const job of plan.jobs) {
    const expanded = withNames(context, wanted.project, job, all);
    if (expanded.environment) await ensureEnvironment(context, wanted.project.id, expanded.environment);
    await store.jobs.insertAs({
      ...freshJob({
        pipelineId: id,
        projectId: wanted.project.id,
        plan: expanded,
        stageIndex: Math.max(0, plan.stages.indexOf(job.stage)),
        playVariables: [],
      }),
      id: await context.statuses.nextId(),
      userId: wanted.user.id,
      createdAt: facts.createdAt,
    });
  }
  return await store.pipelines.insertAs({
    ...record(context, wanted, facts),
    id,
    name,
    status: "created",
    yamlVariables: plan.variables,
    stages: plan.stages,
    autoCancel: plan.autoCancel,
  });
}

/** A job whose environment and resource group have their names, which decide what it waits for. */
function withNames(
  context: ForgeContext,
  project: ProjectRecord,
  job: JobPlan,
  variables: Readonly<Record<string, string>>,
): JobPlan {
  const { environment, resourceGroup } = job;
  if (environment === null && resourceGroup === null) return job;
  const bare = predefinedOfJob(context, project, { plan: { ...job, environment: null }, createdAt: "" });
  const texts = expandAll({ ...bare, ...job.variables, ...variables });
  return {
    ...job,
    resourceGroup: resourceGroup === null ? null : expandText(resourceGroup, texts),
    environment:
      environment === null
        ? null
        : {
            ...environment,
            name: expandText(environment.name, texts).slice(0, 255),
            url: environment.url === null ? null : expandKnown(environment.url, texts),
          },
  };
}

/** Leaves what is not known yet: a job may leave it in its dotenv. */
function expandKnown(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replace(/\$\{([A-Za-z_]\w*)\}|\$([A-Za-z_]\w*)/g, (whole, braced?: string, plain?: string) => {
    const name = braced ?? plain ?? "";
    return Object.hasOwn(variables, name) ? (variables[name] ?? "") : whole;
  });
}

/** Keeps one that cannot be, for whoever looks why a push has made none. Only within `serially`. */
export async function insertFailed(
  context: ForgeContext,
  wanted: NewPipeline,
  facts: PipelineFacts,
  yamlErrors: string,
): Promise<CiPipeline> {
  const pipeline = await context.ci.store.pipelines.insertAs({
    ...record(context, wanted, facts),
    id: await context.statuses.nextId(),
    status: "failed",
    yamlErrors,
    finishedAt: facts.createdAt,
  });
  announcePipeline(context, pipeline);
  await prunePipelines(context, wanted.project.id);
  return pipeline;
}

function record(context: ForgeContext, wanted: NewPipeline, facts: PipelineFacts): Omit<CiPipeline, "id"> {
  const { ref, tag, sha, beforeSha, source, mergeRequest, createdAt } = facts;
  const last = context.ci.store.pipelinesByProject.all(String(wanted.project.id));
  return {
    projectId: wanted.project.id,
    iid: last.reduce((most, { iid }) => Math.max(most, iid), 0) + 1,
    ref,
    tag,
    sha,
    beforeSha,
    source,
    userId: wanted.user.id,
    name: null,
    status: "created",
    yamlErrors: null,
    variables: [...(wanted.variables ?? [])],
    yamlVariables: {},
    stages: [],
    autoCancel: "conservative",
    bridgeId: wanted.child?.bridgeId ?? null,
    mergeRequest,
    createdAt,
    updatedAt: createdAt,
    startedAt: null,
    finishedAt: null,
  };
}

/** Forgets the oldest that have ended. Only within `serially`. */
export async function prunePipelines(context: ForgeContext, projectId: number): Promise<void> {
  const all = context.ci.store.pipelinesByProject.all(String(projectId));
  for (const pipeline of all.slice(0, Math.max(0, all.length - maxKept))) {
    if (isComplete(pipeline.status)) await forgetPipeline(context, pipeline.id);
  }
}
