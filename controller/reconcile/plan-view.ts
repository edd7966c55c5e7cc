import { type Change, planChanges } from "#planning/plan-changes";
import type { PlanView } from "#schemas/api";
import type { DesiredState } from "#schemas/desired-state";
import type { ObservedState } from "#schemas/observed-state";

/** What would be done for a user now, by the last observation, as the API tells it. Pure. */
export function planView(
  user: string,
  desired: DesiredState | undefined,
  observed: ObservedState | undefined,
  nowMs: number,
): PlanView {
  const { changes, observedAt } = planChanges(desired ?? { twins: [], refused: [] }, observed);
  const phases = new Map((observed?.twins ?? []).map((twin) => [twin.name, twin.phase]));
  return {
    user,
    generation: desired?.generation ?? null,
    revision: desired?.revision ?? null,
    observedAt: observedAt ?? null,
    observedAgeMs: observedAt === undefined ? null : nowMs - Date.parse(observedAt),
    twins: changes.map((change) => ({
      name: change.twin,
      phase: phases.get(change.twin) ?? "pending",
      reason: change.reason,
      steps: isNothing(change) ? [] : [{ kind: change.action, text: `${change.action}: ${change.reason}` }],
    })),
  };
}

function isNothing(change: Change): boolean {
  return change.action === "keep" || change.action === "wait";
}
