import { messageOf } from "#core/errors";
import type { ForgeContext } from "../forge-context.ts";
import type { CiPipeline, ScheduleRecord } from "./ci-records.ts";
import { createPipeline } from "./create-pipeline.ts";
import { nextRun } from "./schedule-time.ts";

/** Makes the pipeline of a schedule in its owner's name. Throws what `createPipeline` throws. */
export async function runSchedule(
  context: ForgeContext,
  schedule: ScheduleRecord,
): Promise<CiPipeline | undefined> {
  const project = context.store.projects.get(schedule.projectId);
  const user = context.store.users.get(schedule.ownerId);
  if (!project || user?.state !== "active") return undefined;
  const pipeline = await createPipeline(context, {
    project,
    user,
    ref: schedule.ref,
    source: "schedule",
    variables: schedule.variables,
  });
  const { schedules } = context.ci.store;
  if (pipeline && schedules.get(schedule.id)) {
    await schedules.update(schedule.id, { lastPipelineId: pipeline.id });
  }
  return pipeline;
}

/** Starts what is due. What was due while the forge was away is started once. */
export async function runDueSchedules(context: ForgeContext): Promise<void> {
  const { schedules } = context.ci.store;
  const now = context.clock();
  for (const schedule of schedules.all()) {
    const { active, nextRunAt, cron, timezone, id } = schedule;
    if (!active || nextRunAt === null || Date.parse(nextRunAt) > now.getTime()) continue;
    const next = nextRun(cron, timezone, now);
    await schedules.update(id, { nextRunAt: next?.toISOString() ?? null });
    context.ci.inBackground("a scheduled pipeline could not be made", async () => {
      await runSchedule(context, schedule).catch((error: unknown) => {
        context.logger.info({ schedule: id, err: messageOf(error) }, "a schedule makes no pipeline");
      });
    });
  }
}
