import type { DesiredState, DesiredTwin } from "#schemas/desired-state";
import type { ObservedState, ObservedTwin } from "#schemas/observed-state";

/** What will happen to one twin, in words for people. */
export interface Change {
  twin: string;
  action: "start" | "restart" | "stop" | "remove" | "keep" | "wait" | "refuse";
  /** Why, in one sentence. */
  reason: string;
}

/**
 * What applying a desired state will do, judged by the last observation. Pure; the runner's own steps follow from the
 * same keys. `observedAt` tells how old the observation is.
 */
export function planChanges(
  desired: Pick<DesiredState, "twins" | "refused">,
  observed: ObservedState | undefined,
): { changes: Change[]; observedAt: string | undefined } {
  const seen = new Map((observed?.twins ?? []).map((twin) => [twin.name, twin]));
  const changes: Change[] = desired.twins.map((twin) => changeOf(twin, seen.get(twin.name)));
  for (const twin of desired.refused) {
    const [first] = twin.diagnostics;
    const where = first
      ? `${first.file}:${first.line}:${first.column}: ${first.message}`
      : "its spec is broken";
    changes.push({ twin: twin.name, action: "refuse", reason: where });
  }
  const wanted = new Set(changes.map(({ twin }) => twin));
  for (const name of seen.keys()) {
    if (!wanted.has(name))
      changes.push({
        twin: name,
        action: "remove",
        reason: "its folder is gone: it is stopped and cleaned up",
      });
  }
  changes.sort((a, b) => (a.twin < b.twin ? -1 : 1));
  return { changes, observedAt: observed?.observedAt };
}

function changeOf(twin: DesiredTwin, seen: ObservedTwin | undefined): Change {
  const change = (action: Change["action"], reason: string): Change => ({ twin: twin.name, action, reason });
  if (twin.withheld) return change("stop", twin.withheld.reason);
  if (twin.brokenSince) {
    const [first] = twin.brokenSince.diagnostics;
    return change("keep", `its spec is broken (${first?.message ?? "unknown"}); the last good one runs on`);
  }
  if (twin.suspend) return change("keep", "suspended");
  if (twin.overLimit !== undefined) return change("refuse", twin.overLimit);
  const runs = seen?.phase === "live" || seen?.phase === "starting" || seen?.phase === "creating";
  if (twin.state === "stopped") {
    return runs && seen.sourceKey !== undefined
      ? change("stop", "state: stopped")
      : change("keep", "stopped; operations run when asked");
  }
  if (!seen) return change("start", "new");
  if (seen.sourceKey === twin.sourceKey) {
    if (runs || seen.phase === "completed")
      return change("keep", `nothing that it runs from has changed (${seen.phase})`);
    if (seen.phase === "waiting") return change("wait", seen.reason ?? "waits for what it depends on");
    return change("keep", `${seen.phase}${seen.reason ? `: ${seen.reason}` : ""}`);
  }
  const how =
    twin.spec.rollout.strategy === "parallel"
      ? "the new one starts beside the old one"
      : "the old one ends first";
  return runs
    ? change("restart", `its spec, folder or assets have changed; ${how}`)
    : change("start", "its spec, folder or assets have changed");
}
