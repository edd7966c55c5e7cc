import { readJson } from "#core/atomic-file";
import { messageOf } from "#core/errors";
import type { PlatformSettings } from "#schemas/desired-state";
import { checkPlatformSettings } from "#schemas/documents/check-documents";
import type { Runner } from "../twins/runner.ts";
import { applyRetention, dropBuildLogs, emptyTrash, usersWithRuns } from "./apply-retention.ts";

// How often the platform's settings are looked at; new ones are applied at once.
const settingsCheckMs = 5_000;
// How often they are applied while they stay the same: nothing here is measured in minutes.
const applyEveryMs = 3_600_000;

/** What the controller has said about the platform; nothing where it has not said anything. */
export async function readPlatformSettings(
  runner: Pick<Runner, "data">,
): Promise<PlatformSettings | undefined> {
  const found = await readJson(runner.data.platform);
  return found === undefined ? undefined : checkPlatformSettings(found);
}

/** Applies the platform's retention now, then every hour and whenever it is changed, until `close`. */
export function startRetention(
  runner: Pick<Runner, "data" | "runs" | "memory" | "logger">,
  aloneWith: (user: string, task: () => Promise<void>) => Promise<void>,
): { close(): Promise<void> } {
  const { data, logger } = runner;
  let applied = "";
  let appliedAtMs = 0;
  let closed = false;

  const apply = async (settings: PlatformSettings | undefined) => {
    await emptyTrash(data);
    const { retention } = settings ?? {};
    if (!retention) return;
    for (const user of await usersWithRuns(data)) {
      if (closed) return;
      await aloneWith(user, async () => {
        const done = await applyRetention(runner, user, retention, Date.now());
        if (done.runs + done.logs > 0) logger.info({ user, ...done }, "old runs and logs removed");
      }).catch((error: unknown) =>
        logger.warn({ user, err: messageOf(error) }, "retention not applied; tried again later"),
      );
    }
    if (retention.logsMs !== undefined) await dropBuildLogs(data, Date.now() - retention.logsMs);
    await emptyTrash(data);
  };
  const look = async () => {
    const settings = await readPlatformSettings(runner);
    const text = JSON.stringify(settings?.retention ?? {});
    if (text === applied && Math.abs(Date.now() - appliedAtMs) < applyEveryMs) return;
    await apply(settings);
    applied = text;
    appliedAtMs = Date.now();
  };
  let running: Promise<void> | undefined;
  const lookOnce = () => {
    running ??= look()
      .catch((error: unknown) => logger.warn({ err: messageOf(error) }, "retention not applied; tried again"))
      .finally(() => {
        running = undefined;
      });
  };
  lookOnce();
  const timer = setInterval(lookOnce, settingsCheckMs);
  return {
    async close() {
      closed = true;
      clearInterval(timer);
      await running;
    },
  };
}
