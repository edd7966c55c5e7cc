import type { ForgeContext } from "../forge-context.ts";

/** Removes a pipeline with its jobs, traces and artifacts. Only within `serially`. */
export async function forgetPipeline(context: ForgeContext, pipelineId: number): Promise<void> {
  const { store, files, exchange } = context.ci;
  await store.pipelines.remove(pipelineId);
  for (const job of store.jobsByPipeline.all(String(pipelineId))) {
    await store.jobs.remove(job.id);
    await exchange?.remove(job.id);
    await files.remove(job.id);
  }
}

/** Everything of a project that is gone. */
export async function forgetCiOf(context: ForgeContext, projectId: number): Promise<void> {
  const { ci } = context;
  const { store } = ci;
  const key = String(projectId);
  await ci.serially(async () => {
    for (const { id } of store.pipelinesByProject.all(key)) await forgetPipeline(context, id);
    for (const { id } of store.triggersByProject.all(key)) await store.triggers.remove(id);
    for (const { id } of store.schedulesByProject.all(key)) await store.schedules.remove(id);
    for (const { id } of store.deploymentsByProject.all(key)) await store.deployments.remove(id);
    for (const { id } of store.environmentsByProject.all(key)) await store.environments.remove(id);
  });
}
