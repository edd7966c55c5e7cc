import type { DesiredTwin } from "#schemas/desired-state";
import type { Step, TwinFacts } from "./facts.ts";
import { describeNow, type Status, type TwinPlan } from "./status.ts";

/**
 * Ends every container that sees a shared repository its user may not read any more, whatever is desired, suspended
 * twins included: a folder that is mounted stays readable until then. What shall run is started again without it.
 */
export function planRevoked(facts: TwinFacts): Step[] {
  return facts.containers.flatMap((container): Step[] => {
    const { runId, id: containerId, state } = container;
    const lost = notReadable(facts, facts.memory.open[runId]?.reads ?? []);
    if (lost.length === 0 || state === "exited" || facts.stopping.has(runId)) return [];
    const explanation = `may not read ${lost.join(", ")} any more`;
    return [{ kind: "stop-run", runId, containerId, reason: "access removed", explanation }];
  });
}

/** Why a source may not run now; `undefined` when it may. */
export function withheldReason(facts: TwinFacts, source: DesiredTwin): string | undefined {
  if (source === facts.desired) return source.withheld?.reason;
  const lost = notReadable(facts, source.assetsFrom ?? []);
  return lost.length === 0 ? undefined : `may not read ${lost.join(", ")} any more, which it has assets of`;
}

/** A twin that declares what it may not read: it ends, and is not started. */
export function planWithheld(facts: TwinFacts, reason: string): TwinPlan {
  const steps: Step[] = facts.containers
    .filter(({ runId }) => !facts.stopping.has(runId))
    .map(({ runId, id }) => ({
      ...{ kind: "stop-run", runId, containerId: id, reason: "access removed", explanation: reason },
    }));
  for (const { runId } of facts.requests) {
    if (facts.memory.open[runId]?.started) continue;
    steps.push({ kind: "reject-request", runId, outcome: "failed", reason });
  }
  const now = describeNow(facts);
  return { steps, status: { ...now, phase: facts.containers.length > 0 ? "stopping" : "failed", reason } };
}

/** A grant is seen from the next start on, and said until then. */
export function tellGrants(facts: TwinFacts, status: Status): Status {
  const run = status.runId === undefined ? undefined : facts.memory.open[status.runId];
  if (status.phase !== "live" || status.reason !== undefined || run?.reads === undefined) return status;
  const { reads } = run;
  const granted = (facts.desired?.shared ?? []).filter(({ project }) => !reads.includes(project));
  if (granted.length === 0) return status;
  return {
    ...status,
    reason: `sees ${granted.map(({ project }) => project).join(", ")} from its next start`,
  };
}

function notReadable(facts: TwinFacts, projects: readonly string[]): string[] {
  const { readable } = facts;
  return readable === undefined ? [] : projects.filter((project) => !readable.has(project));
}
