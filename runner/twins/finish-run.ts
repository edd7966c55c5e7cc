import { messageOf } from "#core/errors";
import { rememberEnded } from "#planning/memory";
import type { Outcome, RunManifest, RunOutcome, RunStage } from "#schemas/run";
import type { Container } from "../engine/engine.ts";
import { countRun } from "../metrics.ts";
import { keepOutputs } from "../runs/keep-outputs.ts";
import type { Ending, RunName } from "../runs/run-store.ts";
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
    const outcome = (await runner.runs.outcome(run)) ?? (await conclude(runner, run, manifest, found));
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

async function conclude(
  runner: Runner,
  run: RunName,
  manifest: RunManifest,
  container: Container | undefined,
): Promise<RunOutcome> {
  const ending = await runner.runs.ending(run);
  const folder = runner.runs.folder(run);
  const stages: RunStage[] = [
    {
      name: "queued",
      startedAt: manifest.createdAt,
      finishedAt: container?.startedAt ?? new Date().toISOString(),
    },
  ];
  const finishedAt = container?.finishedAt ?? new Date().toISOString();
  if (container?.startedAt) stages.push({ name: "running", startedAt: container.startedAt, finishedAt });
  let truncated = false;
  let remark: string | undefined;
  let outputs: RunOutcome["outputs"] = [];
  if (container?.startedAt) {
    ({ truncated } = await runner.logs.complete(run.runId, container.id, folder));
    const outputsFrom = new Date().toISOString();
    try {
      const kept = await keepOutputs(
        runner.engine.containers,
        container.id,
        manifest.command.outputs,
        folder,
      );
      outputs = kept.files;
      remark = kept.remark;
    } catch (error) {
      remark = `outputs could not be kept: ${messageOf(error)}`;
    }
    stages.push({ name: "outputs", startedAt: outputsFrom, finishedAt: new Date().toISOString() });
  }
  const verdict = judge(manifest, container, ending);
  const redact = await runner.secrets.redactorOf(run.runId, folder);
  const reason = redact([verdict.reason, remark].filter(Boolean).join("; "));
  const outcome: RunOutcome = {
    outcome: verdict.outcome,
    ...(container?.exitCode === undefined ? {} : { exitCode: container.exitCode }),
    ...(container?.outOfMemory ? { outOfMemory: true } : {}),
    ...(reason === "" ? {} : { reason }),
    ...(container?.startedAt ? { startedAt: container.startedAt } : {}),
    finishedAt,
    stages,
    outputs,
    logTruncated: truncated,
  };
  await runner.runs.writeOutcome(run, outcome);
  return outcome;
}

function judge(
  manifest: RunManifest,
  container: Container | undefined,
  ending: Ending | undefined,
): { outcome: Outcome; reason?: string } {
  const because = ending?.explanation === undefined ? {} : { reason: ending.explanation };
  switch (ending?.reason) {
    case "cancelled":
      return { outcome: "cancelled", reason: "cancelled" };
    case "timed out":
      return { outcome: "timed-out", ...because };
    case "unhealthy":
    case "disk full":
      return { outcome: "failed", ...because };
    case "removed":
    case "not wanted":
    case "replaced":
    case "changed":
    case "access removed":
      return { outcome: "stopped", reason: ending.explanation ?? ending.reason };
    case undefined:
      break;
  }
  if (!container) return { outcome: "lost", reason: "its container was removed by somebody" };
  if (!container.startedAt) return { outcome: "stopped", reason: "never started" };
  if (container.exitCode === 0) return { outcome: "succeeded" };
  if (container.outOfMemory) {
    const mebibytes = Math.round(manifest.resources.memoryBytes / 1024 / 1024);
    return { outcome: "failed", reason: `out of memory: the limit is ${mebibytes} MiB (resources.memory)` };
  }
  if (container.exitCode === 137) return { outcome: "failed", reason: "killed (exit code 137)" };
  return { outcome: "failed", reason: `${manifest.operation} ended with exit code ${container.exitCode}` };
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
