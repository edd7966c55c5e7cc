import { snapshotPath } from "#core/data-folder";
import { ActionNeededError, messageOf } from "#core/errors";
import { newRunId } from "#core/run-id";
import type { Step } from "#planning/facts";
import {
  rememberGood,
  rememberOpen,
  rememberRefused,
  rememberStarted,
  rememberTryAgain,
  type TwinMemory,
} from "#planning/memory";
import type { DesiredState, PinnedSnapshot } from "#schemas/desired-state";
import { mergeParameters } from "#schemas/parameters";
import type { RunManifest } from "#schemas/run";
import { pinnedMounts, readableProjects } from "../mounts/view-mounts.ts";
import { runContainer } from "../runs/run-container.ts";
import { finishRun } from "./finish-run.ts";
import { containerName, layerId } from "./names.ts";
import type { Runner } from "./runner.ts";

// What may not be read any more is out of reach this soon after it is noticed, however long a twin may take to end.
const maxRevokedGraceMs = 15_000;

type StartRun = Extract<Step, { kind: "start-run" }>;
type StopRun = Extract<Step, { kind: "stop-run" }>;

/**
 * What a step has changed. `world`: look and plan again at once; `memory`: plan again, what was seen still stands;
 * `nothing`: the effect comes later and will be noticed.
 */
export type Effect = "nothing" | "memory" | "world";

/** Does one step. Every step may be applied twice. */
export async function applyStep(runner: Runner, user: string, twin: string, step: Step): Promise<Effect> {
  switch (step.kind) {
    case "build-image":
      runner.requestBuild(user, step.hash, step.workspace);
      return "nothing";
    case "start-run":
      await startRun(runner, user, twin, step);
      return "world";
    case "stop-run":
      return await stopRun(runner, user, twin, step);
    case "finish-run":
      await finishRun(runner, { user, twin, runId: step.runId }, step.containerId);
      return "world";
    case "reject-request": {
      const now = new Date().toISOString();
      const { runId, outcome, reason } = step;
      const ended = { outcome, reason, finishedAt: now, stages: [], outputs: [], logTruncated: false };
      await runner.runs.rejectRequest({ user, twin, runId }, ended);
      return "world";
    }
    case "remember-good":
      await runner.memory.change(user, twin, (memory) => rememberGood(memory, step));
      return "memory";
    case "refuse-source": {
      const { key, revision, reason } = step;
      runner.logger.warn({ user, twin, revision, reason }, "revision refused");
      await runner.memory.change(user, twin, (memory) => rememberRefused(memory, { key, revision, reason }));
      return "memory";
    }
    case "try-again":
      await runner.memory.change(user, twin, (memory) => rememberTryAgain(memory, step.key));
      return "memory";
    case "remove-layer":
      await runner.layers.remove(layerId(user, twin, step.sourceKey));
      runner.disk.forget(layerId(user, twin, step.sourceKey));
      return "nothing";
    case "copy-work-tree": {
      const { requests } = await runner.runs.requests(user);
      const request = requests.find(({ runId }) => runId === step.runId);
      if (request) runner.copies.start(request, () => runner.nudge(user));
      return "nothing";
    }
    case "remove-copy":
      if (step.sourceKey !== undefined) {
        await runner.layers.remove(layerId(user, twin, step.sourceKey));
        runner.disk.forget(layerId(user, twin, step.sourceKey));
      }
      await runner.copies.remove(user, step.runId); // last: the layer lies over it
      return "world";
    case "forget-twin":
      await runner.memory.forget(user, twin);
      return "nothing";
  }
}

/**
 * Manifest, memory, layer, container, start - in this order, so that whatever is missing after a crash is made
 * under the same run id, and whatever is there is found by it.
 */
async function startRun(runner: Runner, user: string, twin: string, step: StartRun): Promise<void> {
  const runId = step.runId ?? newRunId();
  const former = await formerRuns(runner, user, twin, step);
  const written = await runner.runs.manifest({ user, twin, runId });
  const isKept = former.repeated !== undefined && !former.repeated.worktree;
  if (!written && step.request?.rerunOf !== undefined && !isKept) {
    const reason = `run ${step.request.rerunOf}, which was to be done again, is no longer kept`;
    const ended = { outcome: "failed" as const, reason, finishedAt: new Date().toISOString() };
    await runner.runs.rejectRequest(
      { user, twin, runId },
      { ...ended, stages: [], outputs: [], logTruncated: false },
    );
    return;
  }
  const desired = await runner.desired.get(user);
  const copy = step.request?.worktree ? runner.copies.ready(user, runId) : undefined;
  const fresh = {
    ...manifestOf(user, twin, runId, step, former),
    ...(copy ? { worktree: true as const, copy: copy.about } : {}),
    ...(step.request?.rerunOf === undefined ? sharedOf(step, desired) : {}),
  };
  const manifest = written ?? (await runner.runs.writeManifest(fresh));
  const { timeoutMs, graceMs } = manifest.command;
  const remember = (change: (memory: TwinMemory) => TwinMemory) =>
    step.request ? runner.memory.change(user, twin, change) : runner.memory.begin(user, twin, change);
  await remember((memory) =>
    rememberOpen(memory, runId, {
      operation: step.operation,
      cause: step.cause,
      key: step.key,
      attempt: step.attempt,
      graceMs,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(step.join ? { forRun: step.join.runId } : {}),
      reads: (manifest.shared ?? []).map(({ project }) => project),
      started: false,
    }),
  );
  const { containers, networks } = runner.engine;
  try {
    const network = await networks.ensure(user);
    const { own, shared = [], worktree } = manifest;
    const lower = worktree
      ? runner.copies.folder(user, runId)
      : snapshotPath(runner.data, own.project, own.commit);
    const layer = await runner.layers.ensure(layerId(user, twin, manifest.sourceKey), lower);
    const runFolder = await runner.runs.writeInputs({ user, twin, runId }, manifest.parameters);
    const name = containerName(user, twin, step.operation, runId);
    const { data, views } = runner;
    const mounts = await pinnedMounts({ data, views, placesFolders: runner.engine.placesFolders }, desired, {
      // A copy has no common/ of its own, and its commit may never have been pushed.
      ...{ user, own: worktree ? ownShare(desired, own) : own, shared },
      container: name,
    });
    const given = await runner.secrets.give({
      user,
      twin,
      runId,
      project: manifest.own.project,
      secrets: manifest.secrets ?? [],
      joins: step.join?.runId,
    });
    const { id } = await containers.create({
      ...runContainer(manifest, {
        name,
        network,
        layer,
        runFolder,
        key: step.key,
        environment: given.environment,
      }),
      environmentFiles: given.environmentFiles,
      mounts: [...given.mounts, ...mounts],
      ...(step.join ? { joinContainerId: step.join.containerId } : {}),
    });
    runner.starting.add(id);
    await containers.start(id);
    await remember((memory) => rememberStarted(memory, runId, id, Date.now()));
    attach(
      runner,
      { user, twin, runId, containerId: id, operation: step.operation },
      step.source.spec.health,
    );
    runner.logger.info(
      { user, twin, run: runId, operation: step.operation, cause: step.cause },
      "run started",
    );
  } catch (error) {
    if (!(error instanceof ActionNeededError)) throw error;
    // The engine will not do this, however often it is asked: the run has failed, and says why.
    await runner.runs.writeEnding(
      { user, twin, runId },
      { reason: "unhealthy", explanation: messageOf(error) },
    );
    await finishRun(runner, { user, twin, runId }, undefined);
  }
}

/** Follows the log and the health of a container that runs. */
export function attach(
  runner: Runner,
  run: {
    user: string;
    twin: string;
    runId: string;
    containerId: string;
    operation: string;
    healthy?: boolean;
  },
  health: StartRun["source"]["spec"]["health"],
): void {
  runner.logs.follow(run.runId, run.containerId, runner.runs.folder(run));
  if (health && run.operation === "execute") {
    runner.health.watch(run.containerId, run.user, health, run.healthy ? "healthy" : "unknown");
  }
}

async function stopRun(runner: Runner, user: string, twin: string, step: StopRun): Promise<Effect> {
  const { runId, containerId, reason, explanation } = step;
  const run = { user, twin, runId };
  await runner.runs.writeEnding(run, { reason, ...(explanation === undefined ? {} : { explanation }) });
  const container = (await runner.engine.containers.list(user)).find(({ id }) => id === containerId);
  if (container?.state === "created") {
    await finishRun(runner, run, containerId);
    return "world";
  }
  const wishedMs = (await runner.memory.get(user, twin)).open[runId]?.graceMs ?? 10_000;
  const graceMs = reason === "access removed" ? Math.min(wishedMs, maxRevokedGraceMs) : wishedMs;
  runner.stopping.add(runId);
  runner.health.unwatch(containerId);
  // Not awaited: the grace period may be long. The engine's event, or the next look, finishes the run.
  void runner.engine.containers.stop(containerId, graceMs).then(
    () => runner.nudge(user),
    (error: unknown) => {
      runner.stopping.delete(runId);
      runner.logger.warn({ ...run, err: messageOf(error) }, "could not stop; will be tried again");
      runner.nudge(user);
    },
  );
  return "nothing";
}

interface FormerRuns {
  /** What is done again. */
  repeated?: RunManifest | undefined;
  /** The execution that `terminate` ends. */
  joined?: RunManifest | undefined;
}

async function formerRuns(runner: Runner, user: string, twin: string, step: StartRun): Promise<FormerRuns> {
  const find = async (runId: string | undefined) =>
    runId === undefined ? undefined : await runner.runs.manifest({ user, twin, runId });
  return { repeated: await find(step.request?.rerunOf), joined: await find(step.join?.runId) };
}

/** The user's own repository as its `common/` is seen now. */
function ownShare(desired: DesiredState | undefined, otherwise: PinnedSnapshot): PinnedSnapshot {
  return desired?.view?.sources.find(({ folder }) => folder !== undefined) ?? otherwise;
}

/** What the run will see of shared repositories: those of its source that the user may read now. */
function sharedOf(step: StartRun, desired: DesiredState | undefined): Pick<RunManifest, "shared"> {
  const readable = readableProjects(desired);
  return { shared: (step.source.shared ?? []).filter(({ project }) => readable.has(project)) };
}

function manifestOf(
  user: string,
  twin: string,
  runId: string,
  step: StartRun,
  former: FormerRuns,
): RunManifest {
  const { source, request } = step;
  const asked = {
    ...(request ? { requestedBy: request.requestedBy } : {}),
    ...(request?.rerunOf === undefined ? {} : { rerunOf: request.rerunOf }),
  };
  const createdAt = new Date().toISOString();
  if (former.repeated) {
    return { ...former.repeated, ...asked, id: runId, cause: step.cause, attempt: step.attempt, createdAt };
  }
  const command = source.spec.lifecycle[step.operation];
  if (!command)
    throw new ActionNeededError("OPERATION_UNKNOWN", `${twin} has no operation "${step.operation}"`);
  // What ends an execution sees the parameters that the execution was given.
  const parameters = mergeParameters(
    former.joined?.parameters ?? source.spec.parameters,
    request?.parameters,
  );
  return {
    version: 1,
    id: runId,
    user,
    twin,
    operation: step.operation,
    cause: step.cause,
    ...asked,
    attempt: step.attempt,
    sourceKey: source.sourceKey,
    revision: source.revision,
    own: source.own,
    workspace: source.spec.workspace,
    image: step.image,
    command,
    ...(parameters === undefined ? {} : { parameters }),
    environment: source.spec.environment,
    ...(source.spec.secrets ? { secrets: source.spec.secrets } : {}),
    resources: source.spec.resources,
    createdAt,
  };
}
