import { causeOfRequest, isAskedFor } from "#schemas/run";
import type { ContainerFact, Step, TwinFacts } from "./facts.ts";
import { planImage, type Target } from "./target.ts";

/**
 * Operations that somebody asked for: one at a time for a twin, oldest first, beside the execution that is kept up.
 * `terminate` joins the execution it ends.
 */
export function planRequests(facts: TwinFacts, target: Target): { steps: Step[]; wakeAtMs?: number } {
  const steps: Step[] = [];
  const waiting = facts.requests.filter((request) => {
    const run = facts.memory.open[request.runId];
    if (run?.started) return false;
    if (!facts.cancels.has(request.runId)) return true;
    steps.push({
      kind: "reject-request",
      runId: request.runId,
      outcome: "cancelled",
      reason: "cancelled before it started",
    });
    return false;
  });
  const next = waiting[0];
  if (!next) return { steps };
  const execution = facts.containers.find(isRunningExecution);
  // Its own container is there when a crash came between making and starting it: it must not wait for itself.
  const busy = facts.containers.some(
    (container) =>
      container.runId !== next.runId && isAsked(facts, container) && container.state !== "exited",
  );
  if (busy && next.operation !== "terminate") return { steps };

  const reject = (reason: string): { steps: Step[] } => ({
    steps: [...steps, { kind: "reject-request", runId: next.runId, outcome: "failed", reason }],
  });
  if (next.rerunOf === undefined && !target.source.spec.lifecycle[next.operation]) {
    return reject(`${facts.name} has no operation "${next.operation}"`);
  }
  if (next.operation === "execute") {
    if (execution) return reject("it runs already");
    if (facts.desired?.state === "running" && next.rerunOf === undefined) {
      if (next.parameters)
        return reject("it is kept running by its state, with the parameters of its dt.yaml");
      // The platform keeps it up anyway: the wish is to try again what had been given up or completed.
      return {
        steps: [
          ...steps,
          { kind: "try-again", key: target.key },
          {
            kind: "reject-request",
            runId: next.runId,
            outcome: "cancelled",
            reason: "it is kept running by its state; started again",
          },
        ],
      };
    }
  }
  const image = planImage(facts, target);
  if (image.plan) {
    if (image.plan.phase === "failed") return reject(image.plan.reason ?? "its image cannot be built");
    return { steps: [...steps, ...image.plan.steps] };
  }
  return {
    steps: [
      ...steps,
      {
        kind: "start-run",
        runId: next.runId,
        operation: next.operation,
        cause: causeOfRequest(next),
        attempt: 1,
        key: target.key,
        source: target.source,
        image: image.ready,
        request: next,
        ...(next.operation === "terminate" && execution
          ? { join: { runId: execution.runId, containerId: execution.id } }
          : {}),
      },
    ],
  };
}

function isRunningExecution(container: ContainerFact): boolean {
  return container.operation === "execute" && container.state === "running";
}

function isAsked(facts: TwinFacts, container: ContainerFact): boolean {
  const cause = facts.memory.open[container.runId]?.cause;
  return cause !== undefined && isAskedFor(cause) && container.operation !== "execute";
}
