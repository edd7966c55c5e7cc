import { messageOf } from "#core/errors";
import type { ForgeContext } from "../forge-context.ts";
import type { CiJob, CiPipeline, DeploymentRecord } from "./ci-records.ts";
import { deploymentPayload, jobPayload, pipelinePayload } from "./hook-payloads.ts";

/** Tells a project's hooks in the background; with no hook that wants it, nothing is made. */
function announce(
  context: ForgeContext,
  projectId: number,
  flag: string,
  make: () => Promise<unknown>,
): void {
  const hooks = context.store.hooksByProject
    .all(String(projectId))
    .filter((hook) => hook.events.includes(flag));
  if (hooks.length === 0) return;
  context.hookSender
    .inBackground(async () => {
      const payload = await make();
      if (payload !== undefined) for (const hook of hooks) context.hookSender.send(hook, flag, payload);
    })
    .catch((error: unknown) => {
      context.logger.error({ project: projectId, err: messageOf(error) }, "no webhook could be made");
    });
}

/** Each status of a pipeline. What is told is how it stands when the webhook is made. */
export function announcePipeline(context: ForgeContext, pipeline: CiPipeline): void {
  announce(context, pipeline.projectId, "pipeline_events", () => pipelinePayload(context, pipeline));
}

/** Each status of a job but a bridge. */
export function announceJob(context: ForgeContext, job: CiJob): void {
  if (job.plan.trigger) return;
  announce(context, job.projectId, "job_events", () => jobPayload(context, job));
}

export function announceDeployment(context: ForgeContext, deployment: DeploymentRecord): void {
  announce(context, deployment.projectId, "deployment_events", () => deploymentPayload(context, deployment));
}
