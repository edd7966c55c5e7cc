import { rememberEnded } from "#planning/memory";
import type { RunManifest } from "#schemas/run";
import type { Container } from "../engine/engine.ts";
import { countRun } from "../metrics.ts";
import { type ConcludeParts, concludeRun } from "../runs/conclude-run.ts";
import type { RunName } from "../runs/run-store.ts";
import { layerId } from "./names.ts";
import type { Runner } from "./runner.ts";

/**
 * Closes a run: its log and outputs are brought in, its outcome is written, it is remembered, and only then its
 * container is removed. Begun again after a crash, it goes on where it was.
 */
export async function finishRun(
  runner: Runner,
  run: RunName,
  containerId: string | undefined,
): Promise<void> {
  const { user, twin, runId } = run;
  const open = (await runner.memory.get(user, twin)).open[runId];
  const manifest = await runner.runs.manifest(run);
  const found = containerId === undefined ? undefined : await find(runner, user, containerId);
  if (manifest) {
    const outcome =
      (await runner.runs.outcome(run)) ?? (await concludeRun(concludeParts(runner), run, manifest, found));
    const startedMs = Date.parse(outcome.startedAt ?? outcome.finishedAt);
    const nowMs = Date.now();
    await runner.memory.change(user, twin, (memory) =>
      rememberEnded(memory, runId, {
        outcome: outcome.outcome,
        reason: outcome.reason,
        lastedMs: Date.parse(outcome.finishedAt) - startedMs,
        nowMs,
      }),
    );
    await runner.runs.settleRequest(user, runId);
    countRun(runner.metrics, outcome.outcome);
    runner.logger.info(
      { user, twin, run: runId, operation: manifest.operation, outcome: outcome.outcome },
      "run ended",
    );
  } else if (open) {
    await runner.memory.change(user, twin, (memory) => {
      const { [runId]: _gone, ...rest } = memory.open;
      return { ...memory, open: rest };
    });
  }
  if (containerId !== undefined) {
    runner.health.unwatch(containerId);
    runner.starting.delete(containerId);
    await runner.engine.containers.remove(containerId);
  }
  await runner.secrets.takeBack(runId);
  runner.stopping.delete(runId);
  if (manifest?.operation === "clean") await emptyLayer(runner, manifest);
}

function concludeParts({ runs, logs, engine, secrets }: Runner): ConcludeParts {
  const redactorOf = (run: string, folder: string) => secrets.redactorOf(run, folder);
  return { runs, logs, containers: engine.containers, redactorOf };
}

/** `clean` gives the twin a fresh workspace, as soon as nothing else of it uses the old one. */
async function emptyLayer(runner: Runner, manifest: RunManifest): Promise<void> {
  const others = (await runner.engine.containers.list(manifest.user)).some(
    (container) => container.labels.twin === manifest.twin && container.labels.source === manifest.sourceKey,
  );
  if (others) return;
  const layer = layerId(manifest.user, manifest.twin, manifest.sourceKey);
  await runner.layers.remove(layer);
  runner.disk.forget(layer);
}

async function find(runner: Runner, user: string, containerId: string): Promise<Container | undefined> {
  return (await runner.engine.containers.list(user)).find((container) => container.id === containerId);
}
