import type { DesiredTwin } from "#schemas/desired-state";
import type { Step, TwinFacts } from "./facts.ts";
import { planRequests } from "./plan-requests.ts";
import { describeNow, type TwinPlan } from "./status.ts";
import type { Target } from "./target.ts";

const mebibyte = 1024 * 1024;

/** Why a source may not run now: what it has written takes more than it may. */
export function overDiskReason(facts: TwinFacts, source: DesiredTwin): string | undefined {
  const limit = source.spec.resources.diskBytes;
  const used = facts.disk?.get(source.sourceKey);
  if (limit === undefined || used === undefined || used <= limit) return undefined;
  const size = (bytes: number) => `${Math.ceil(bytes / mebibyte)} MiB`;
  return `its files take ${size(used)}, more than ${size(limit)} (resources.disk): run clean, or allow more`;
}

/** A twin whose layer is full ends; only `clean` may run on it, which empties it. */
export function planFull(facts: TwinFacts, target: Target, reason: string): TwinPlan {
  const isOnLayer = ({ sourceKey }: { sourceKey: string }) => sourceKey === target.source.sourceKey;
  const steps: Step[] = facts.containers
    .filter((container) => isOnLayer(container) && container.operation !== "clean")
    .filter(({ runId }) => !facts.stopping.has(runId))
    .map(({ runId, id }) => ({
      ...{ kind: "stop-run", runId, containerId: id, reason: "disk full", explanation: reason },
    }));
  for (const { runId, operation } of facts.requests) {
    if (operation === "clean" || facts.memory.open[runId]?.started) continue;
    steps.push({ kind: "reject-request", runId, outcome: "failed", reason });
  }
  const cleaning = facts.requests.filter(({ operation }) => operation === "clean");
  const clean = steps.length === 0 ? planRequests({ ...facts, requests: cleaning }, target).steps : [];
  const phase = facts.containers.length > 0 ? "stopping" : "failed";
  return { steps: [...steps, ...clean], status: { ...describeNow(facts), phase, reason } };
}
