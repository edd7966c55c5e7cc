import type { ObservedTwin, Phase } from "#schemas/observed-state";
import type { ContainerFact, Step, TwinFacts } from "./facts.ts";
import type { Target } from "./target.ts";

// Without a health check, a twin that has been up for this long is healthy.
export const healthyAfterMs = 3_000;

/** What people are told about a twin. */
export type Status = Pick<ObservedTwin, "phase"> &
  Partial<Omit<ObservedTwin, "phase" | "name" | "since" | "restarts">> & { restarts?: number };

export interface TwinPlan {
  steps: Step[];
  /** What people are told while these steps run. `undefined`: the twin is gone for good. */
  status: Status | undefined;
  /** Look again at this time even if nothing happens. */
  wakeAtMs?: number;
}

export function describeSuspended(facts: TwinFacts): Status {
  return { ...describeNow(facts), reason: "suspended: the platform observes and changes nothing" };
}

export function describeNow(facts: TwinFacts): Status {
  const running = facts.containers.find(
    (container) => container.operation === "execute" && container.state === "running",
  );
  if (running)
    return runningStatus(
      running,
      facts.nowMs - (running.startedAtMs ?? facts.nowMs) >= healthyAfterMs ? "live" : "starting",
    );
  const [last] = facts.containers;
  if (last)
    return {
      phase: last.operation === "create" ? "creating" : "stopping",
      runId: last.runId,
      revision: last.revision,
    };
  return facts.desired?.state === "stopped" ? { phase: "ready" } : { phase: "pending" };
}

export function sourceStatus(target: Target): Partial<Status> {
  return { revision: target.source.revision, sourceKey: target.source.sourceKey };
}

export function runningStatus(container: ContainerFact, phase: Phase): Status {
  const { runId, id: containerId, revision, sourceKey } = container;
  return { phase, runId, containerId, revision, sourceKey };
}

export function askedStatus(facts: TwinFacts, container: ContainerFact): Status {
  const upMs = facts.nowMs - (container.startedAtMs ?? facts.nowMs);
  return runningStatus(container, upMs >= healthyAfterMs ? "live" : "starting");
}

export function wakeWhenHealthy(container: ContainerFact, nowMs: number): { wakeAtMs?: number } {
  const atMs = (container.startedAtMs ?? nowMs) + healthyAfterMs;
  return atMs > nowMs ? { wakeAtMs: atMs } : {};
}

export function earliest(...times: (number | undefined)[]): number | undefined {
  const known = times.filter((time): time is number => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
