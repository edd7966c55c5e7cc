import { snapshotPath } from "#core/data-folder";
import { ActionNeededError, messageOf } from "#core/errors";
import { newRunId } from "#core/run-id";
import type { PreviewStep } from "#planning/plan-preview";
import type { ObservedPreview, WantedPreview } from "#schemas/previews";
import type { RunManifest } from "#schemas/run";
import type { PreviewScope } from "../engine/engine.ts";
import { pinnedMounts } from "../mounts/view-mounts.ts";
import { runContainer } from "../runs/run-container.ts";
import { previewContainerName, previewLayerId } from "../twins/names.ts";
import { finishPreviewRun } from "./finish-preview-run.ts";
import type { PreviewSeen } from "./observe-previews.ts";
import type { PreviewParts } from "./preview-parts.ts";
import { recordPreview, withRun } from "./record-preview.ts";

type StartOperation = Extract<PreviewStep, { kind: "start-operation" }>;
type StopRun = Extract<PreviewStep, { kind: "stop-run" }>;

/** Does one step; whether there is something new to see at once. Every step may be applied twice. */
export async function applyPreviewStep(
  parts: PreviewParts,
  seen: PreviewSeen,
  step: PreviewStep,
): Promise<boolean> {
  const { runner, files } = parts;
  const { scope, wanted } = seen;
  switch (step.kind) {
    case "build-image":
      runner.requestBuild(scope.user, step.hash, step.workspace);
      return false;
    case "start-operation":
      if (wanted) await startOperation(parts, scope, wanted, step);
      return true;
    case "stop-run":
      await stopRun(parts, seen, step);
      return false;
    case "finish-run": {
      const container = seen.containers.find(({ id }) => id === step.containerId);
      if (step.ending) {
        await files.runs(scope).writeEnding({ ...scope, runId: step.runId }, step.ending);
      }
      await finishPreviewRun(parts, scope, step.runId, container);
      return true;
    }
    case "clear":
      await clear(parts, seen);
      return true;
    case "drop-kept":
      await files.dropKept(scope, scope.twin);
      return true;
    case "forget":
      await clear(parts, seen);
      await files.dropKept(scope, scope.twin);
      await recordPreview(parts, scope, () => undefined);
      return true;
  }
}

/**
 * Record, manifest, network, layer, container, start - in this order, so that whatever is missing after a crash is made under
 * the same run id, and whatever is there is found by it.
 */
async function startOperation(
  parts: PreviewParts,
  scope: PreviewScope,
  wanted: WantedPreview,
  step: StartOperation,
): Promise<void> {
  const { runner, files, previews } = parts;
  const { user, twin, id: preview } = scope;
  const { operation } = step;
  const runId = step.runId ?? newRunId();
  const run = { user, twin, runId };
  const runs = files.runs(scope);
  await recordPreview(parts, scope, (before) => withRun(begun(before, wanted), { operation, run: runId }));
  const fresh = manifestOf(scope, wanted, step, runId);
  if (!fresh) throw new ActionNeededError("OPERATION_UNKNOWN", `${twin} has no operation "${operation}"`);
  const manifest = await runs.writeManifest(fresh);
  let containerId: string | undefined;
  try {
    const network = await previews.ensureNetwork(scope);
    const lower = snapshotPath(runner.data, wanted.own.project, wanted.own.commit);
    const layer = await runner.engine.layers.ensure(previewLayerId(scope, wanted), lower);
    const name = previewContainerName(scope, operation, runId);
    const { own, shared } = wanted;
    const { data, views, engine } = runner;
    const deps = { data, views, placesFolders: engine.placesFolders };
    const desired = await runner.desired.get(user);
    const mounts = await pinnedMounts(deps, desired, { user, own, shared, container: name });
    const runFolder = await runs.writeInputs(run, manifest.parameters);
    const place = { name, network, layer, runFolder, key: wanted.sourceKey, preview };
    const { id } = await engine.containers.create({ ...runContainer(manifest, place), mounts });
    containerId = id;
    runner.starting.add(id);
    await engine.containers.start(id);
    const startedAt = new Date().toISOString();
    await recordPreview(parts, scope, (before) =>
      withRun(begun(before, wanted), { operation, run: runId, startedAt }),
    );
    runner.logs.follow(runId, id, runs.folder(run));
    runner.logger.info({ ...run, preview, operation }, "preview run started");
  } catch (error) {
    if (!(error instanceof ActionNeededError)) throw error;
    // The engine will not do this, however often it is asked.
    await runs.writeEnding(run, { reason: "unhealthy", explanation: messageOf(error) });
    const made = (await previews.list()).find(({ id }) => id === containerId);
    await finishPreviewRun(parts, scope, runId, made);
  }
}

function begun(before: ObservedPreview | undefined, wanted: WantedPreview): ObservedPreview {
  const { name, commit, attempt } = wanted;
  return before ?? { name, commit, attempt, phase: "running", since: new Date().toISOString(), runs: [] };
}

function manifestOf(
  { user, twin }: PreviewScope,
  wanted: WantedPreview,
  { operation, image }: StartOperation,
  runId: string,
): RunManifest | undefined {
  const found = wanted.operations.find(({ name }) => name === operation);
  if (!found) return undefined;
  const { name: _name, ...command } = found;
  const { attempt, sourceKey, own, shared, workspace, parameters, environment, resources } = wanted;
  return {
    ...{ version: 1, id: runId, user, twin, operation, cause: "preview", attempt, sourceKey },
    ...{ revision: wanted.commit, own, shared, workspace, image, command },
    ...(parameters === undefined ? {} : { parameters }),
    ...{ environment, resources, createdAt: new Date().toISOString() },
  };
}

/** Not awaited: the grace period may be long. The engine's event, or the next look, finishes the run. */
async function stopRun(parts: PreviewParts, { scope }: PreviewSeen, step: StopRun): Promise<void> {
  const { runner, files } = parts;
  const { runId, containerId, reason, explanation } = step;
  await files
    .runs(scope)
    .writeEnding({ ...scope, runId }, { reason, ...(explanation === undefined ? {} : { explanation }) });
  const manifest = await files.runs(scope).manifest({ ...scope, runId });
  const graceMs = manifest?.command.graceMs ?? 0;
  runner.stopping.add(runId);
  void runner.engine.containers
    .stop(containerId, reason === "access removed" ? Math.min(graceMs, maxRevokedGraceMs) : graceMs)
    .catch((error: unknown) => {
      runner.stopping.delete(runId);
      runner.logger.warn({ ...scope, run: runId, err: messageOf(error) }, "could not stop; tried again");
    })
    .then(() => parts.nudge(scope.user));
}

// What may not be read any more is out of reach this soon after it is noticed, however long the twin may take to end.
const maxRevokedGraceMs = 15_000;

/** Ends and removes all that the engine has of it. Nothing of a preview acts on anything, so it is not asked politely. */
async function clear({ runner, previews }: PreviewParts, seen: PreviewSeen): Promise<void> {
  for (const { id, labels } of seen.containers) {
    await runner.engine.containers.remove(id);
    runner.starting.delete(id);
    runner.stopping.delete(labels.run);
    await runner.logs.drop(labels.run);
  }
  for (const layer of seen.layers) {
    await runner.engine.layers.remove(layer);
    runner.disk.forget(layer);
  }
  await previews.removeNetwork(seen.scope);
}
