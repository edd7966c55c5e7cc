import { messageOf } from "#core/errors";
import type { Outcome, RunManifest, RunOutcome, RunStage } from "#schemas/run";
import type { Container, Containers } from "../engine/engine.ts";
import type { LogCollector } from "./collect-log.ts";
import { keepOutputs } from "./keep-outputs.ts";
import type { Ending, RunName, RunStore } from "./run-store.ts";

export interface ConcludeParts {
  runs: RunStore;
  logs: LogCollector;
  containers: Pick<Containers, "read">;
  /** What takes the secrets of a run out of a text. */
  redactorOf(runId: string, folder: string): Promise<(text: string) => string>;
}

/**
 * Brings in the log and the outputs of a run that has ended and writes its outcome. Begun again after a crash, it does all of
 * it again.
 */
export async function concludeRun(
  parts: ConcludeParts,
  run: RunName,
  manifest: RunManifest,
  container: Container | undefined,
): Promise<RunOutcome> {
  const { runs, logs, containers } = parts;
  const ending = await runs.ending(run);
  const folder = runs.folder(run);
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
    ({ truncated } = await logs.complete(run.runId, container.id, folder));
    const outputsFrom = new Date().toISOString();
    try {
      const kept = await keepOutputs(containers, container.id, manifest.command.outputs, folder);
      outputs = kept.files;
      remark = kept.remark;
    } catch (error) {
      remark = `outputs could not be kept: ${messageOf(error)}`;
    }
    stages.push({ name: "outputs", startedAt: outputsFrom, finishedAt: new Date().toISOString() });
  }
  const verdict = judge(manifest, container, ending);
  const redact = await parts.redactorOf(run.runId, folder);
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
  await runs.writeOutcome(run, outcome);
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
    case "time over":
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
