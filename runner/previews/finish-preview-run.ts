import type { ObservedPreviewRun } from "#schemas/previews";
import type { Container, PreviewScope } from "../engine/engine.ts";
import { countRun } from "../metrics.ts";
import { concludeRun } from "../runs/conclude-run.ts";
import type { PreviewParts } from "./preview-parts.ts";
import { recordPreview, withRun } from "./record-preview.ts";

/**
 * Closes a run of a preview as one of a live twin is closed: log, outputs, outcome, record, and only then its container goes.
 * Begun again after a crash, it goes on where it was.
 */
export async function finishPreviewRun(
  { runner, files }: Pick<PreviewParts, "runner" | "files">,
  scope: PreviewScope,
  runId: string,
  container: Container | undefined,
): Promise<void> {
  const { user, twin, id: preview } = scope;
  const run = { user, twin, runId };
  const runs = files.runs(scope);
  const manifest = await runs.manifest(run);
  const { logs, engine, secrets } = runner;
  const parts = {
    ...{ runs, logs, containers: engine.containers },
    redactorOf: (id: string, folder: string) => secrets.redactorOf(id, folder),
  };
  const outcome =
    (await runs.outcome(run)) ?? (manifest && (await concludeRun(parts, run, manifest, container)));
  const ending = await runs.ending(run);
  await recordPreview({ runner, files }, scope, (before) => {
    const open = before?.runs.find((one) => one.run === runId);
    if (!before || !open) return before;
    const ended: ObservedPreviewRun = {
      ...{ operation: open.operation, run: runId },
      ...(outcome?.startedAt === undefined ? {} : { startedAt: outcome.startedAt }),
      finishedAt: outcome?.finishedAt ?? new Date().toISOString(),
      outcome: outcome?.outcome ?? "lost",
      // What runs for ever has done what it should when its time is over.
      counts: outcome?.outcome === "succeeded" || (outcome !== undefined && ending?.reason === "time over"),
      ...(outcome?.exitCode === undefined ? {} : { exitCode: outcome.exitCode }),
      ...(outcome?.reason === undefined ? {} : { reason: outcome.reason }),
    };
    return withRun(before, ended);
  });
  if (outcome) countRun(runner.metrics, outcome.outcome);
  runner.logger.info({ ...run, preview, outcome: outcome?.outcome ?? "lost" }, "preview run ended");
  if (container) {
    runner.starting.delete(container.id);
    await engine.containers.remove(container.id);
  }
  runner.stopping.delete(runId);
}
