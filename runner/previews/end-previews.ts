import { messageOf } from "#core/errors";
import { logSetAside } from "#core/read-or-set-aside";
import type { Runner } from "../twins/runner.ts";
import { finishPreviewRun } from "./finish-preview-run.ts";
import { PreviewFiles } from "./preview-files.ts";

/**
 * Ends every container of a preview, keeps its log and outputs, and writes its outcome; their networks go. The next start
 * removes what is left of them.
 */
export async function endPreviews(runner: Runner, graceMs: number): Promise<number> {
  const { previews, containers } = runner.engine;
  if (!previews) return 0;
  const files = new PreviewFiles(runner.data, logSetAside(runner.logger));
  const found = await previews.list();
  for (const container of found) {
    const { id, labels } = container;
    const scope = { user: labels.user, id: labels.preview ?? "", twin: labels.twin };
    const run = { ...scope, runId: labels.run };
    try {
      const ending = { reason: "not wanted" as const, explanation: "the platform was stopped" };
      await files.runs(scope).writeEnding(run, ending);
      await containers.stop(id, graceMs);
      const ended = (await previews.list()).find((one) => one.id === id);
      await finishPreviewRun({ runner, files }, scope, labels.run, ended);
    } catch (error) {
      runner.logger.warn({ ...run, err: messageOf(error) }, "could not end the preview properly");
      await containers.remove(id);
    }
  }
  for (const scope of await previews.listNetworks()) await previews.removeNetwork(scope);
  return found.length;
}
