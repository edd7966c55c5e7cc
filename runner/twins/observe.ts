import type { ContainerFact, CopyFact, ImageFact, TwinFacts } from "#planning/facts";
import { rememberStarted, type TwinMemory } from "#planning/memory";
import type { DesiredState, DesiredTwin, RunRequest } from "#schemas/desired-state";
import type { Container } from "../engine/engine.ts";
import { readableProjects } from "../mounts/view-mounts.ts";
import { dependencies } from "./desired-store.ts";
import { layerId } from "./names.ts";
import type { Runner } from "./runner.ts";

/** What the engine and the requests folder showed of one user at one moment. */
export interface UserView {
  containers: Container[];
  requests: RunRequest[];
  cancels: Set<string>;
}

/** Asks the engine and looks for requests. An engine that does not answer is `TryLaterError`. */
export async function viewUser(runner: Runner, user: string): Promise<UserView> {
  const containers = await runner.engine.containers.list(user);
  runner.seen.set(user, fingerprintOf(containers));
  return { containers, ...(await runner.runs.requests(user)) };
}

/** Equal for two listings in which nobody would plan differently. */
export function fingerprintOf(containers: readonly Container[]): string {
  return containers
    .map(({ id, state, startedAt, changed }) => `${id} ${state} ${startedAt ?? ""} ${changed}`)
    .sort()
    .join("\n");
}

/** Everything known of one user at one moment, one entry for each twin that is wanted, remembered or running. */
export async function factsOfUser(
  runner: Runner,
  user: string,
  desired: DesiredState | undefined,
  view: UserView,
): Promise<TwinFacts[]> {
  const { containers, requests, cancels } = view;
  const layers = await runner.layers.ofUser(user);
  const names = new Set<string>([
    ...(desired?.twins ?? []).map((twin) => twin.name),
    ...containers.map((container) => container.labels.twin),
    ...layers.map((layer) => layer.twin),
    ...(await runner.memory.twins(user)),
    ...requests.flatMap(({ twin, worktree }) => (worktree ? [twin] : [])), // perhaps not in Git yet
    ...[...runner.copies.of(user).values()].map(({ twin }) => twin),
  ]);
  const health = runner.health.facts();
  const readable = desired && readableProjects(desired);
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
      ...(await secretProblems(runner, user, twin, memory)),
      containers: mine.map(containerFact),
      memory,
      requests: requests.filter((request) => request.twin === name),
      cancels,
      dependencies: needs.map((need) => ({ name: need, ready: runner.published.isReady(need) })),
      health,
      layers: layers.filter((layer) => layer.twin === name).map((layer) => layer.key),
      stopping: runner.stopping,
      readable,
      disk: await diskOf(runner, user, twin, memory),
      copies: await copyFacts(runner, user, name, requests),
      nowMs: Date.now(),
    });
  }
  return facts;
}

/** Copies of the workspace's files for runs of one twin: those asked for, and those that are there. */
async function copyFacts(
  runner: Runner,
  user: string,
  twin: string,
  requests: readonly RunRequest[],
): Promise<Map<string, CopyFact | undefined>> {
  const asked = requests.filter((request) => request.worktree && request.twin === twin);
  const facts = new Map<string, CopyFact | undefined>(asked.map(({ runId }) => [runId, undefined]));
  for (const [runId, copy] of runner.copies.of(user)) {
    if (copy.twin !== twin) continue;
    if (copy.state !== "ready") {
      facts.set(runId, copy);
      continue;
    }
    const { source } = copy;
    const secretProblem = await runner.secrets.problem(user, source);
    const isLimited = source.spec.resources.diskBytes !== undefined;
    facts.set(runId, {
      state: "ready",
      source,
      image: await imageFact(runner, source.spec.workspace),
      ...(secretProblem === undefined ? {} : { secretProblem }),
      ...(isLimited ? { diskBytes: await runner.disk.of(layerId(user, twin, source.sourceKey)) } : {}),
    });
  }
  return facts;
}

/** What the layers take that have a limit. */
async function diskOf(
  runner: Runner,
  user: string,
  desired: DesiredTwin | undefined,
  memory: TwinMemory,
): Promise<Map<string, number>> {
  const disk = new Map<string, number>();
  for (const source of [desired, memory.lastGood?.source]) {
    if (source?.spec.resources.diskBytes === undefined) continue;
    disk.set(source.sourceKey, await runner.disk.of(layerId(user, source.name, source.sourceKey)));
  }
  return disk;
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

async function secretProblems(
  runner: Runner,
  user: string,
  twin: DesiredTwin | undefined,
  memory: TwinMemory,
): Promise<Pick<TwinFacts, "secretProblem" | "lastGoodSecretProblem">> {
  const secretProblem = twin && (await runner.secrets.problem(user, twin));
  const lastGoodSecretProblem =
    memory.lastGood && (await runner.secrets.problem(user, memory.lastGood.source));
  return {
    ...(secretProblem === undefined ? {} : { secretProblem }),
    ...(lastGoodSecretProblem === undefined ? {} : { lastGoodSecretProblem }),
  };
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
      memory = await runner.memory.begin(user, twin, (before) =>
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
          reads: (manifest.shared ?? []).map(({ project }) => project),
          started: container.state !== "created",
          containerId: container.id,
        },
      },
    }));
  }
  return memory;
}

export function containerFact(container: Container): ContainerFact {
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
