import type { DesiredTwin } from "#schemas/desired-state";
import type { ContainerFact, Step, TwinFacts } from "./facts.ts";
import { restartKey } from "./keys.ts";
import { isManaged } from "./memory.ts";
import { planRevoked, planWithheld, tellGrants, withheldReason } from "./plan-access.ts";
import { withCopies, withoutCopies } from "./plan-copies.ts";
import { overDiskReason, planFull } from "./plan-disk.ts";
import { planRequests } from "./plan-requests.ts";
import { planRunning } from "./plan-running.ts";
import { retire } from "./retire.ts";
import {
  askedStatus,
  describeNow,
  describeSuspended,
  earliest,
  sourceStatus,
  type TwinPlan,
  wakeWhenHealthy,
} from "./status.ts";
import { planImage, type Target } from "./target.ts";

/**
 * From what one twin shall be and what is seen of it: the next steps. Pure; called again whenever anything changes,
 * until no steps are left. A step that takes long is proposed again until its effect is seen.
 */
export function planTwin(facts: TwinFacts): TwinPlan {
  const revoked = planRevoked(facts);
  if (revoked.length > 0) return { steps: revoked, status: { ...describeNow(facts), phase: "stopping" } };
  if (facts.desired?.suspend) return { steps: [], status: describeSuspended(facts) };
  const tidy = planTidying(facts);
  if (tidy.length > 0) return { steps: tidy, status: describeNow(facts) };
  const own = withoutCopies(facts);
  return withCopies(own.desired ? planWanted(own, own.desired) : planRemoval(own), facts);
}

/** Ended, lost, overdue and tampered containers, whatever is desired. */
function planTidying(facts: TwinFacts): Step[] {
  const steps: Step[] = [];
  const seen = new Set(facts.containers.map((container) => container.runId));
  for (const container of facts.containers) {
    const { runId, id: containerId } = container;
    const run = facts.memory.open[runId];
    if (!run || container.state === "exited") {
      steps.push({ kind: "finish-run", runId, containerId });
      continue;
    }
    const stop = (reason: Extract<Step, { kind: "stop-run" }>["reason"], explanation?: string) => {
      if (facts.stopping.has(runId)) return;
      steps.push({ kind: "stop-run", runId, containerId, reason, ...(explanation ? { explanation } : {}) });
    };
    if (facts.cancels.has(runId)) stop("cancelled");
    else if (container.state === "created") continue;
    else if (container.state === "paused" || container.changed)
      stop("changed", "somebody changed the container");
    else if (run.timeoutMs !== undefined && overdueMs(container, run.timeoutMs, facts.nowMs) >= 0) {
      stop("timed out", `took longer than ${run.timeoutMs / 1000} s`);
    }
  }
  for (const [runId, run] of Object.entries(facts.memory.open)) {
    if (run.started && !seen.has(runId)) steps.push({ kind: "finish-run", runId });
  }
  return steps;
}

function planRemoval(facts: TwinFacts): TwinPlan {
  const executing = new Set(
    facts.containers.filter(({ operation }) => operation === "execute").map(({ runId }) => runId),
  );
  const isEnding = (container: ContainerFact) =>
    executing.has(facts.memory.open[container.runId]?.forRun ?? "");
  const steps: Step[] = facts.containers
    .filter((container) => !isEnding(container))
    .flatMap((container) => retire(container, facts, "removed"));
  if (facts.containers.length > 0)
    return { steps, status: { phase: "stopping", reason: "removed from Git" } };
  for (const runId of Object.keys(facts.memory.open)) steps.push({ kind: "finish-run", runId });
  for (const { runId } of facts.requests) {
    steps.push({
      kind: "reject-request",
      runId,
      outcome: "cancelled",
      reason: "the twin was removed from Git",
    });
  }
  for (const sourceKey of facts.layers) steps.push({ kind: "remove-layer", sourceKey });
  steps.push({ kind: "forget-twin" });
  return { steps, status: undefined };
}

function planWanted(facts: TwinFacts, desired: DesiredTwin): TwinPlan {
  if (facts.image.state === "unknown") {
    return {
      steps: [],
      status: { ...describeNow(facts), reason: facts.image.reason },
      wakeAtMs: facts.nowMs + 5_000,
    };
  }
  const desiredKey = restartKey(desired, facts.image.hash);
  const { refused, lastGood } = facts.memory;
  const isRefused = refused?.key === desiredKey;
  const target: Target =
    isRefused && lastGood && facts.lastGoodImage && facts.lastGoodImage.state !== "unknown"
      ? {
          source: lastGood.source,
          key: lastGood.key,
          image: facts.lastGoodImage,
          fallback: true,
          ...(facts.lastGoodSecretProblem === undefined
            ? {}
            : { secretProblem: facts.lastGoodSecretProblem }),
        }
      : {
          source: desired,
          key: desiredKey,
          image: facts.image,
          fallback: false,
          ...(facts.secretProblem === undefined ? {} : { secretProblem: facts.secretProblem }),
        };
  const withheld = withheldReason(facts, target.source);
  if (withheld !== undefined) return planWithheld(facts, withheld);
  const full = overDiskReason(facts, target.source);
  if (full !== undefined) return planFull(facts, target, full);
  const abandoned = planAbandoned(facts, new Set([target.key, desiredKey]));
  if (abandoned.length > 0) return { steps: abandoned, status: describeNow(facts) };
  const requests = planRequests(facts, target);
  const kept =
    desired.overLimit !== undefined
      ? planOverLimit(facts, target, desired.overLimit)
      : desired.state === "running"
        ? planRunning(facts, target, desiredKey)
        : planStopped(facts, target);
  const returned = isRefused ? { returnedFrom: { revision: refused.revision, reason: refused.reason } } : {};
  const steps = [...kept.steps, ...requests.steps];
  const unused = steps.length === 0 ? unusedLayers(facts, target) : [];
  const wakeAtMs = earliest(kept.wakeAtMs, requests.wakeAtMs, nextTimeout(facts));
  return {
    steps: [...steps, ...unused],
    status: kept.status && tellGrants(facts, { ...returned, ...kept.status }),
    ...(wakeAtMs === undefined ? {} : { wakeAtMs }),
  };
}

/** Work for a source that is no longer wanted and that had not begun to execute. */
function planAbandoned(facts: TwinFacts, wanted: ReadonlySet<string>): Step[] {
  const isOld = (runId: string, key: string) => {
    const run = facts.memory.open[runId];
    return run !== undefined && isManaged(run.cause) && !wanted.has(key);
  };
  const steps: Step[] = facts.containers
    .filter((container) => isOld(container.runId, container.key))
    .filter((container) => container.state === "created" || container.operation === "create")
    .flatMap((container) => retire(container, facts, "replaced"));
  const seen = new Set(facts.containers.map((container) => container.runId));
  for (const [runId, run] of Object.entries(facts.memory.open)) {
    if (!run.started && !seen.has(runId) && isOld(runId, run.key)) steps.push({ kind: "finish-run", runId });
  }
  return steps;
}

function planStopped(facts: TwinFacts, target: Target): TwinPlan {
  const managed = facts.containers.filter((container) => {
    const run = facts.memory.open[container.runId];
    return container.operation === "execute" && run !== undefined && isManaged(run.cause);
  });
  if (managed.length > 0) {
    const steps = managed.flatMap((container) => retire(container, facts, "not wanted"));
    return { steps, status: { phase: "stopping", ...sourceStatus(target) } };
  }
  const asked = facts.containers.find(
    (container) => container.state === "running" && container.operation === "execute",
  );
  if (asked) return { steps: [], status: askedStatus(facts, asked), ...wakeWhenHealthy(asked, facts.nowMs) };
  const image = planImage(facts, target);
  if (image.plan)
    return {
      ...image.plan,
      status: {
        phase: image.plan.phase,
        ...(image.plan.reason ? { reason: image.plan.reason } : {}),
        ...sourceStatus(target),
      },
    };
  const busy = facts.containers.find((container) => container.state === "running");
  return {
    steps: [],
    status: {
      ...sourceStatus(target),
      phase: "ready",
      ...(busy ? { reason: `${busy.operation} runs`, runId: busy.runId } : {}),
    },
  };
}

/** It may not be kept up; what somebody asks for is run all the same. */
function planOverLimit(facts: TwinFacts, target: Target, reason: string): TwinPlan {
  const plan = planStopped(facts, target);
  const isEnding = plan.status?.phase === "stopping";
  return {
    ...plan,
    status: { ...plan.status, phase: isEnding ? "stopping" : "refused", reason },
  };
}

/** Layers that neither the target, nor the last good source, nor a run needs. */
function unusedLayers(facts: TwinFacts, target: Target): Step[] {
  const wanted = new Set([
    target.source.sourceKey,
    facts.desired?.sourceKey,
    facts.memory.lastGood?.source.sourceKey,
  ]);
  for (const container of facts.containers) wanted.add(container.sourceKey);
  if (Object.keys(facts.memory.open).length > 0) return [];
  return facts.layers
    .filter((layer) => !wanted.has(layer))
    .map((sourceKey) => ({ kind: "remove-layer", sourceKey }));
}

function overdueMs(container: ContainerFact, timeoutMs: number, nowMs: number): number {
  return nowMs - ((container.startedAtMs ?? nowMs) + timeoutMs);
}

function nextTimeout(facts: TwinFacts): number | undefined {
  return earliest(
    ...facts.containers.map((container) => {
      const timeoutMs = facts.memory.open[container.runId]?.timeoutMs;
      return timeoutMs === undefined || container.startedAtMs === undefined
        ? undefined
        : container.startedAtMs + timeoutMs;
    }),
  );
}
