import { Cron } from "croner";
import { LRUCache } from "lru-cache";

/** When an operation is run by itself: a cron expression of five fields, read in a time zone (IANA name). */
export interface CronTime {
  cron: string;
  timeZone: string;
}

const minuteMs = 60_000; // cron knows nothing finer
const keptVerdicts = 1_000; // a verdict costs a third of what the rest of a document does, and nearly all are repeated

const verdicts = new LRUCache<string, { problem: string | undefined }>({ max: keptVerdicts });

/**
 * What is wrong with it, in one sentence for people; `undefined` when nothing is. Without a year in it, a time that comes
 * once comes again: the verdict does not depend on the day.
 */
export function cronProblem(time: CronTime, nowMs: number): string | undefined {
  const key = JSON.stringify([time.cron, time.timeZone]);
  const known = verdicts.get(key) ?? { problem: findProblem(time, nowMs) };
  verdicts.set(key, known);
  return known.problem;
}

function findProblem(time: CronTime, nowMs: number): string | undefined {
  if (!isTimeZone(time.timeZone)) return `there is no time zone called ${JSON.stringify(time.timeZone)}`;
  try {
    return nextTime(time, nowMs) === undefined ? "that time never comes" : undefined;
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^CronPattern: /, "") : String(error);
  }
}

/** The first time after `afterMs`, in milliseconds since 1970; `undefined` when none comes any more. */
export function nextTime({ cron, timeZone }: CronTime, afterMs: number): number | undefined {
  return new Cron(cron, { timezone: timeZone, mode: "5-part" }).nextRun(new Date(afterMs))?.getTime();
}

/** The last time after `afterMs` that is not after `nowMs`; `undefined` when there is none. */
export function latestTime({ cron, timeZone }: CronTime, afterMs: number, nowMs: number): number | undefined {
  const pattern = new Cron(cron, { timezone: timeZone, mode: "5-part" });
  const next = (ms: number) => pattern.nextRun(new Date(ms))?.getTime() ?? Number.POSITIVE_INFINITY;
  let found = next(afterMs);
  if (found > nowMs) return undefined;
  // The later one begins to look, the later what is found; beyond the last time nothing is found any more.
  let least = Math.floor(found / minuteMs);
  let most = Math.floor(nowMs / minuteMs);
  while (least < most) {
    const middle = Math.ceil((least + most) / 2);
    const candidate = next(middle * minuteMs - 1);
    if (candidate > nowMs) {
      most = middle - 1;
    } else {
      found = candidate;
      least = Math.max(middle, Math.floor(candidate / minuteMs));
    }
  }
  return found;
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
