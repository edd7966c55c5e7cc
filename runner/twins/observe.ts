import type { ContainerFact, ImageFact, TwinFacts } from "#planning/facts";
import { rememberStarted, type TwinMemory } from "#planning/memory";
import type { DesiredState, DesiredTwin } from "#schemas/desired-state";
import type { Container } from "../engine/engine.ts";
import { dependencies } from "./desired-store.ts";
import { parseLayerId } from "./names.ts";
import type { Runner } from "./runner.ts";

/** Everything seen of one user at one moment, one entry for each twin that is wanted, remembered or running. */
export async function observeUser(
  runner: Runner,
  user: string,
  desired: DesiredState | undefined,
): Promise<TwinFacts[]> {
  const containers = await runner.engine.containers.list(user);
  const { requests, cancels } = await runner.runs.requests(user);
  const layers = (await runner.engine.layers.list()).flatMap((id) => parseLayerId(id, user));
  const names = new Set<string>([
    ...(desired?.twins ?? []).map((twin) => twin.name),
    ...containers.map((container) => container.labels.twin),
    ...layers.map((layer) => layer.twin),
    ...(await runner.memory.twins(user)),
  ]);
  const facts: TwinFacts[] = [];
  for (const name of [...names].sort()) {
    const wanted = desired?.twins.find((candidate) => candidate.name === name);
    const twin = wanted && (runner.engine.runsBeside ? wanted : alwaysReplaced(wanted));
    const mine = containers.filter((container) => container.labels.twin === name);
    const memory = await recallLost(runner, user, name, mine);
    const needs = twin ? dependencies(user, twin) : [];
    facts.push({
      name,
      desired: twin,
      image: twin ? await imageFact(runner, twin.spec.workspace) : { state: "unknown", reason: "not wanted" },
      lastGoodImage: memory.lastGood
        ? await imageFact(runner, memory.lastGood.source.spec.workspace)
        : undefined,
      containers: mine.map(containerFact),
      memory,
      requests: requests.filter((request) => request.twin === name),
      cancels,
      dependencies: needs.map((need) => ({ name: need, ready: runner.published.isReady(need) })),
      health: runner.health.facts(),
      layers: layers.filter((layer) => layer.twin === name).map((layer) => layer.key),
      stopping: runner.stopping,
      nowMs: Date.now(),
    });
  }
  return facts;
}

/** The same twin on an engine where two executions of it cannot be up side by side. */
function alwaysReplaced(twin: DesiredTwin): DesiredTwin {
  const { spec } = twin;
  return { ...twin, spec: { ...spec, rollout: { ...spec.rollout, strategy: "replace" } } };
}

async function imageFact(
  runner: Runner,
  workspace: Parameters<Runner["images"]["fact"]>[0],
): Promise<ImageFact> {
  return await runner.images.fact(workspace);
}

/** A container whose run is not in memory, because the memory was lost, is taken up again from its manifest. */
async function recallLost(
  runner: Runner,
  user: string,
  twin: string,
  containers: Container[],
): Promise<TwinMemory> {
  let memory = await runner.memory.get(user, twin);
  for (const container of containers) {
    const { run: runId } = container.labels;
    const open = memory.open[runId];
    if (open && !open.started && container.state !== "created") {
      // A crash came between starting the container and writing that down.
      memory = await runner.memory.change(user, twin, (before) =>
        rememberStarted(before, runId, container.id, Date.now()),
      );
    }
    if (open) continue;
    const manifest = await runner.runs.manifest({ user, twin, runId });
    const outcome = await runner.runs.outcome({ user, twin, runId });
    if (!manifest || outcome) continue;
    const { timeoutMs, graceMs } = manifest.command;
    memory = await runner.memory.change(user, twin, (before) => ({
      ...before,
      open: {
        ...before.open,
        [runId]: {
          operation: manifest.operation,
          cause: manifest.cause,
          key: container.labels.key,
          attempt: manifest.attempt,
          graceMs,
          ...(timeoutMs === undefined ? {} : { timeoutMs }),
          started: container.state !== "created",
          containerId: container.id,
        },
      },
    }));
  }
  return memory;
}

function containerFact(container: Container): ContainerFact {
  const { labels, id, state, exitCode, startedAt, changed } = container;
  return {
    id,
    runId: labels.run,
    operation: labels.operation,
    key: labels.key,
    sourceKey: labels.source,
    revision: labels.revision,
    state,
    changed,
    ...(startedAt === undefined ? {} : { startedAtMs: Date.parse(startedAt) }),
    ...(exitCode === undefined ? {} : { exitCode }),
  };
}
