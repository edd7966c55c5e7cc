import { messageOf } from "#core/errors";
import { endPreviews } from "./previews/end-previews.ts";
import { finishRun } from "./twins/finish-run.ts";
import type { Runner } from "./twins/runner.ts";

const graceMs = 5_000;

/**
 * Ends every container of this installation, keeps its log and outputs, and writes its outcome, so that the next start
 * begins where this one ended. Layers, images and runs stay.
 */
export async function stopAll(runner: Runner): Promise<{ stopped: number }> {
  const { engine, logger } = runner;
  const containers = await engine.containers.list();
  await Promise.all(
    containers.map(async ({ id, labels }) => {
      const run = { user: labels.user, twin: labels.twin, runId: labels.run };
      try {
        await runner.runs.writeEnding(run, { reason: "not wanted", explanation: "the platform was stopped" });
        await engine.containers.stop(id, graceMs);
        await finishRun(runner, run, id);
      } catch (error) {
        logger.warn({ ...run, err: messageOf(error) }, "could not end the run properly");
        await engine.containers.remove(id);
      }
    }),
  );
  const previews = await endPreviews(runner, graceMs);
  await runner.secrets.clear();
  const workspaces = (await engine.workspaces?.list()) ?? [];
  await Promise.all(
    workspaces.map(async ({ id, user }) => {
      await engine.containers
        .stop(id, graceMs)
        .catch((error: unknown) =>
          logger.warn({ user, err: messageOf(error) }, "a workspace did not end by itself"),
        );
      await engine.containers.remove(id);
    }),
  );
  const jobs = (await engine.ci?.list()) ?? [];
  await Promise.all(jobs.map(({ id }) => engine.containers.remove(id)));
  for (const user of await engine.networks.list()) await engine.networks.remove(user);
  return { stopped: containers.length + previews + workspaces.length + jobs.length };
}
