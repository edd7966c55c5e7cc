import type { ContainerFact, Step, StopReason, TwinFacts } from "./facts.ts";

/**
 * Ends a running container the way its author wants: first the `terminate` operation beside it, where the source
 * that it runs has one, then the stop signal.
 */
export function retire(container: ContainerFact, facts: TwinFacts, reason: StopReason): Step[] {
  const { runId, id: containerId } = container;
  if (facts.stopping.has(runId)) return [];
  const stop: Step = { kind: "stop-run", runId, containerId, reason };
  if (container.operation !== "execute" || container.state !== "running") return [stop];
  if (facts.memory.terminated === runId) return [stop];
  const known = [facts.memory.lastGood?.source, facts.desired];
  const source = known.find((candidate) => candidate?.sourceKey === container.sourceKey);
  const image = facts.memory.lastGood?.key === container.key ? facts.lastGoodImage : facts.image;
  if (!source?.spec.lifecycle["terminate"] || image?.state !== "present") return [stop];
  const [openId, open] = Object.entries(facts.memory.open).find(([, run]) => run.forRun === runId) ?? [];
  if (open?.started) return []; // it runs; its own deadline ends it
  return [
    {
      kind: "start-run",
      operation: "terminate",
      cause: "removal",
      attempt: 1,
      key: container.key,
      source,
      image: { hash: image.hash, id: image.id },
      join: { runId, containerId },
      ...(openId === undefined ? {} : { runId: openId }),
    },
  ];
}
