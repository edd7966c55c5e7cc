import type { Phase } from "#schemas/observed-state";
import type { RunCause } from "#schemas/run";
import type { ContainerFact, Step, TwinFacts } from "./facts.ts";
import { isManaged, type KeyMemory, keyMemory } from "./memory.ts";
import { retire } from "./retire.ts";
import { healthyAfterMs, runningStatus, type Status, sourceStatus, type TwinPlan } from "./status.ts";
import { planImage, type Target } from "./target.ts";

// Restarts never wait longer than this.
const maxBackoffMs = 5 * 60_000;
// A create operation that keeps failing is given up after this many tries.
const maxCreateFailures = 3;

/** A twin that is kept up. */
export function planRunning(facts: TwinFacts, target: Target, desiredKey: string): TwinPlan {
  const executions = facts.containers.filter(
    (container) => container.operation === "execute" && !isRerun(facts, container),
  );
  const current = executions.find(
    (container) => container.key === target.key && container.state !== "created",
  );
  const others = executions.filter((container) => container.key !== target.key);
  if (current) return planCurrent(facts, target, current, others);

  const km = keyMemory(facts.memory, target.key);
  const meanwhile = others.find((container) => container.state === "running");
  const status = (phase: Phase, reason?: string, more: Partial<Status> = {}): Status => ({
    ...(meanwhile ? runningStatus(meanwhile, "live") : { phase }),
    restarts: Math.max(0, km.failuresInRow),
    ...(reason === undefined ? {} : { reason }),
    ...more,
  });
  if (km.completed && target.source.spec.restart.policy !== "always") {
    const isNews = facts.memory.lastGood?.key !== target.key;
    return {
      steps: [
        ...(isNews ? [{ kind: "remember-good" as const, key: target.key, source: target.source }] : []),
        ...others.flatMap((old) => retire(old, facts, "replaced")),
      ],
      status: { ...sourceStatus(target), phase: "completed" },
    };
  }
  const image = planImage(facts, target);
  if (image.plan) return { ...image.plan, status: status(image.plan.phase, image.plan.reason) };
  const waitingFor = facts.dependencies
    .filter((dependency) => !dependency.ready)
    .map((dependency) => dependency.name);
  if (waitingFor.length > 0) {
    return { steps: [], status: status("waiting", `waits for ${waitingFor.join(", ")}`, { waitingFor }) };
  }
  const create = planCreate(facts, target, km);
  if (create === "failed")
    return giveUp(facts, target, desiredKey, `create failed: ${km.lastReason ?? "unknown reason"}`, status);
  if (create) return { ...create, status: status(create.phase, create.reason) };

  const retries = target.source.spec.restart.policy === "never" ? 0 : target.source.spec.restart.maxRetries;
  if (km.failuresInRow > retries)
    return giveUp(facts, target, desiredKey, km.lastReason ?? "the twin ended", status);
  if (isOverdue(facts, target, km) && hasOtherGood(facts, target.key)) {
    return giveUp(facts, target, desiredKey, km.lastReason ?? "did not become healthy in time", status);
  }
  const notBeforeMs = backoffEnd(km, target.source.spec.restart.backoffMs);
  if (notBeforeMs > facts.nowMs) {
    return { steps: [], status: status("restarting", km.lastReason), wakeAtMs: notBeforeMs };
  }
  if (others.length > 0 && target.source.spec.rollout.strategy === "replace") {
    const reason = `makes room for revision ${target.source.revision.slice(0, 8)}`;
    return {
      steps: others.flatMap((old) => retire(old, facts, "replaced")),
      status: { ...status("stopping"), phase: "stopping", reason },
    };
  }
  const cause: RunCause = target.fallback ? "return-to-last-good" : km.attempts > 0 ? "restart" : "state";
  return {
    steps: [startRun(facts, target, image.ready, "execute", cause, km.attempts + 1)],
    status: status("starting"),
  };
}

/** The wanted container runs: judge its health. */
function planCurrent(
  facts: TwinFacts,
  target: Target,
  current: ContainerFact,
  others: ContainerFact[],
): TwinPlan {
  const km = keyMemory(facts.memory, target.key);
  const verdict = judge(facts, target, current);
  const restarts = Math.max(0, km.failuresInRow);
  if (verdict.state === "healthy") {
    const { runId } = current;
    const isNews = !facts.memory.open[runId]?.healthy || facts.memory.lastGood?.key !== target.key;
    const { key, source } = target;
    return {
      steps: [
        ...(isNews ? [{ kind: "remember-good" as const, key, source, runId }] : []),
        ...others.flatMap((old) => retire(old, facts, "replaced")),
      ],
      status: { ...runningStatus(current, "live"), restarts },
    };
  }
  const deadlineMs = (current.startedAtMs ?? facts.nowMs) + target.source.spec.rollout.timeoutMs;
  const wasUp = facts.health.get(current.id)?.state === "unhealthy";
  if (facts.stopping.has(current.runId)) {
    return { steps: [], status: { ...runningStatus(current, "stopping"), restarts } };
  }
  if (facts.nowMs >= deadlineMs || (wasUp && km.wasHealthy)) {
    const reason = verdict.reason ?? "did not become healthy in time";
    const canReturn = isOverdue(facts, target, km) && hasOtherGood(facts, target.key);
    return {
      steps: [
        ...(canReturn
          ? [{ kind: "refuse-source" as const, key: target.key, revision: target.source.revision, reason }]
          : []),
        {
          kind: "stop-run",
          runId: current.runId,
          containerId: current.id,
          reason: "unhealthy",
          explanation: reason,
        },
      ],
      status: { ...runningStatus(current, "stopping"), reason, restarts },
    };
  }
  return {
    steps: [],
    status: {
      ...runningStatus(current, "starting"),
      ...(verdict.reason ? { reason: verdict.reason } : {}),
      restarts,
    },
    wakeAtMs: Math.min(deadlineMs, verdict.checkAtMs ?? deadlineMs),
  };
}

/** `undefined`: created already, or nothing to create. */
function planCreate(
  facts: TwinFacts,
  target: Target,
  km: KeyMemory,
): { steps: Step[]; phase: Phase; reason?: string; wakeAtMs?: number } | "failed" | undefined {
  if (!target.source.spec.lifecycle["create"] || km.created) return undefined;
  const underWay = facts.containers.some(
    (container) =>
      container.operation === "create" && container.key === target.key && container.state !== "created",
  );
  if (underWay) return { steps: [], phase: "creating" };
  if (km.createFailures >= maxCreateFailures) return "failed";
  const notBeforeMs =
    km.createFailures === 0 ? 0 : (km.lastEndedAtMs ?? 0) + target.source.spec.restart.backoffMs;
  if (notBeforeMs > facts.nowMs) {
    return {
      steps: [],
      phase: "creating",
      ...(km.lastReason ? { reason: km.lastReason } : {}),
      wakeAtMs: notBeforeMs,
    };
  }
  const image = planImage(facts, target);
  if (!image.ready) return undefined;
  return {
    steps: [startRun(facts, target, image.ready, "create", "state", km.createAttempts + 1)],
    phase: "creating",
  };
}

function giveUp(
  facts: TwinFacts,
  target: Target,
  desiredKey: string,
  reason: string,
  status: (phase: Phase, reason?: string) => Status,
): TwinPlan {
  if (target.key === desiredKey && hasOtherGood(facts, target.key)) {
    return {
      steps: [{ kind: "refuse-source", key: target.key, revision: target.source.revision, reason }],
      status: status("restarting", reason),
    };
  }
  return { steps: [], status: status("failed", reason) };
}

/** A start step; an open run of the same kind that never got its container started is taken up again. */
export function startRun(
  facts: TwinFacts,
  target: Pick<Target, "source" | "key">,
  image: { hash: string; id: string },
  operation: string,
  cause: RunCause,
  attempt: number,
): Extract<Step, { kind: "start-run" }> {
  const [runId] =
    Object.entries(facts.memory.open).find(
      ([, run]) =>
        run.operation === operation && run.key === target.key && isManaged(run.cause) && !run.started,
    ) ?? [];
  return {
    kind: "start-run",
    operation,
    cause,
    attempt,
    key: target.key,
    source: target.source,
    image,
    ...(runId === undefined ? {} : { runId }),
  };
}

function judge(
  facts: TwinFacts,
  target: Target,
  current: ContainerFact,
): { state: "healthy" | "not yet"; reason?: string; checkAtMs?: number } {
  const upMs = facts.nowMs - (current.startedAtMs ?? facts.nowMs);
  if (!target.source.spec.health) {
    if (upMs >= healthyAfterMs) return { state: "healthy" };
    return { state: "not yet", checkAtMs: facts.nowMs + healthyAfterMs - upMs };
  }
  const health = facts.health.get(current.id);
  if (health?.state === "healthy") return { state: "healthy" };
  if (health === undefined && facts.memory.open[current.runId]?.healthy) return { state: "healthy" };
  return { state: "not yet", ...(health?.reason ? { reason: health.reason } : {}) };
}

/** Has the rollout of this source, all its attempts together, taken longer than it may? */
function isOverdue(facts: TwinFacts, target: Target, km: KeyMemory): boolean {
  if (km.wasHealthy || target.fallback || km.firstStartedAtMs === undefined) return false;
  return facts.nowMs >= km.firstStartedAtMs + target.source.spec.rollout.timeoutMs;
}

/** One that differs in its secrets only is no other one: former values are not kept. */
function hasOtherGood(facts: TwinFacts, key: string): boolean {
  const { lastGood } = facts.memory;
  if (lastGood === undefined || lastGood.key === key) return false;
  const { desired } = facts;
  const sameSource = lastGood.source.sourceKey === desired?.sourceKey;
  return !sameSource || lastGood.source.secretsVersion === desired.secretsVersion;
}

function isRerun(facts: TwinFacts, container: ContainerFact): boolean {
  return facts.memory.open[container.runId]?.cause === "rerun";
}

function backoffEnd(km: KeyMemory, backoffMs: number): number {
  if (km.lastEndedAtMs === undefined || (km.failuresInRow === 0 && !km.completed)) return 0;
  return km.lastEndedAtMs + Math.min(backoffMs * 2 ** Math.max(0, km.failuresInRow - 1), maxBackoffMs);
}
