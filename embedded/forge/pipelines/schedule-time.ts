import { Cron } from "croner";

/** When a schedule is due next after `from`; `undefined` for what is no cron pattern or no time zone, or is never due. */
export function nextRun(cron: string, timezone: string, from: Date): Date | undefined {
  if (cron.trim().split(/\s+/).length !== 5) return undefined; // no seconds, no `@daily`: as GitLab
  try {
    return new Cron(cron, { timezone, paused: true }).nextRun(from) ?? undefined;
  } catch {
    return undefined;
  }
}
