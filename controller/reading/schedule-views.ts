import type { ScheduleView } from "#schemas/api";
import { nextTime } from "#schemas/cron";
import type { DesiredTwin } from "#schemas/desired-state";
import type { UserSchedule } from "../schedule/schedule-memory.ts";

/** What a twin has scheduled, when it is run next, and what became of the last time. */
export function scheduleViews(
  twin: DesiredTwin | undefined,
  memory: UserSchedule | undefined,
  nowMs: number,
): ScheduleView[] {
  return Object.entries(twin?.schedule ?? {}).map(([operation, time]) => {
    const nextMs = twin?.suspend ? undefined : nextTime(time, nowMs);
    const last = memory?.[`${twin?.name}/${operation}`]?.last;
    return {
      operation,
      ...time,
      next: nextMs === undefined ? null : new Date(nextMs).toISOString(),
      last: last ? { at: last.at, runId: last.run ?? null, skipped: last.skipped ?? null } : null,
    };
  });
}
