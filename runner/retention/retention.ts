import { readJson } from "#core/atomic-file";
import { messageOf } from "#core/errors";
import type { PlatformSettings } from "#schemas/desired-state";
import { checkPlatformSettings } from "#schemas/documents/check-documents";
import type { Retention as RetentionTimes } from "#schemas/twin-spec";
import type { Runner } from "../twins/runner.ts";
import { applyRetention, dropBuildLogs, emptyTrash, usersWithRuns } from "./apply-retention.ts";

// How often the platform's settings are looked at; new ones are applied at once.
const settingsCheckMs = 5_000;
// How often they are applied while they stay the same: nothing here is measured in minutes.
const applyEveryMs = 3_600_000;

export interface Retention {
  /** Begins now; then every hour, and whenever the settings change. */
  start(): void;
  /** What is due for this user; call it when nothing else works on them. Its errors are logged. */
  ofUser(user: string): Promise<void>;
  close(): Promise<void>;
}

/** What the controller has said about the platform; nothing where it has not said anything. */
export async function readPlatformSettings(
  runner: Pick<Runner, "data">,
): Promise<PlatformSettings | undefined> {
  const found = await readJson(runner.data.platform);
  return found === undefined ? undefined : checkPlatformSettings(found);
}

/** The platform's retention: says whose turn it is by a nudge, and does the work within the look that follows. */
export function createRetention(
  runner: Pick<Runner, "data" | "runs" | "memory" | "logger" | "nudge">,
): Retention {
  const { data, logger } = runner;
  const due = new Map<string, RetentionTimes>();
  let applied = "";
  let appliedAtMs = 0;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;

  const look = async () => {
    const times = (await readPlatformSettings(runner))?.retention ?? {};
    const text = JSON.stringify(times);
    if (text === applied && Math.abs(Date.now() - appliedAtMs) < applyEveryMs) return;
    applied = text;
    appliedAtMs = Date.now();
    if (times.runsMs === undefined && times.logsMs === undefined) return;
    for (const user of await usersWithRuns(data)) {
      due.set(user, times);
      runner.nudge(user);
    }
    if (times.logsMs !== undefined) await dropBuildLogs(data, Date.now() - times.logsMs);
  };
  const lookOnce = () => {
    looking ??= look()
      .catch((error: unknown) => logger.warn({ err: messageOf(error) }, "retention not applied; tried later"))
      .finally(() => {
        looking = undefined;
      });
  };
  return {
    start() {
      lookOnce();
      timer = setInterval(lookOnce, settingsCheckMs);
    },
    async ofUser(user) {
      const times = due.get(user);
      if (times === undefined) return;
      due.delete(user);
      try {
        await emptyTrash(data, user); // of one that crashed
        const done = await applyRetention(runner, user, times, Date.now());
        await emptyTrash(data, user);
        if (done.runs + done.logs > 0) logger.info({ user, ...done }, "old runs and logs removed");
      } catch (error) {
        logger.warn({ user, err: messageOf(error) }, "retention not applied; tried again in an hour");
      }
    },
    async close() {
      clearInterval(timer);
      await looking;
    },
  };
}
