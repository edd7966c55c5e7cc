import { causeOfRequest } from "#schemas/run";
import type { ContainerFact, CopyFact, Step, TwinFacts } from "./facts.ts";
import { restartKey } from "./keys.ts";
import { earliest, type Status, type TwinPlan } from "./status.ts";
import { planImage, type Target } from "./target.ts";

// What takes long says itself when it is done; this is in case it cannot.
const lookAgainMs = 1_000;
// The image could not even be named: the engine or a template is in trouble.
const imageAgainMs = 5_000;

/** The same facts without anything that belongs to a copy: the twin as Git has it. */
export function withoutCopies(facts: TwinFacts): TwinFacts {
  const { copies } = facts;
  if (!copies || copies.size === 0) return facts;
  const isCopy = (runId: string) => copies.has(runId);
  const keys = new Set([...copies.values()].flatMap((copy) => keyOf(copy)));
  const open = Object.entries(facts.memory.open).filter(([runId]) => !isCopy(runId));
  return {
    ...facts,
    containers: facts.containers.filter(({ runId }) => !isCopy(runId)),
    requests: facts.requests.filter(({ runId }) => !isCopy(runId)),
    layers: facts.layers.filter((key) => !keys.has(key)),
    memory: { ...facts.memory, open: Object.fromEntries(open) },
  };
}

/** The plan of the twin itself, with what its copies need beside it. */
export function withCopies(plan: TwinPlan, facts: TwinFacts): TwinPlan {
  const { copies } = facts;
  if (!copies || copies.size === 0) return plan;
  const executing = facts.containers.find(
    ({ runId, operation, state }) => copies.has(runId) && operation === "execute" && state === "running",
  );
  // Two executions of one twin must never act at once, and the twin itself comes first.
  const starts = plan.steps.filter((step) => step.kind === "start-run" && step.operation === "execute");
  const mustWait = executing !== undefined && starts.length > 0;
  const own = plan.steps.filter((step) => {
    if (step.kind === "forget-twin") return false; // what is remembered of its copies is needed still
    return !(mustWait && starts.includes(step));
  });
  const making = planCopies(facts, copies);
  const steps = [
    ...own,
    ...(mustWait ? stopped(facts, executing, "replaced", "the twin itself shall run") : []),
    ...making.steps,
  ];
  const wakeAtMs = earliest(plan.wakeAtMs, making.wakeAtMs, mustWait ? facts.nowMs + lookAgainMs : undefined);
  return {
    steps,
    status: plan.status ?? statusOfCopies(facts),
    ...(wakeAtMs === undefined ? {} : { wakeAtMs }),
  };
}

/** A twin that Git does not have, or not yet, while a copy of it is there. */
function statusOfCopies(facts: TwinFacts): Status {
  const busy = facts.containers.find(({ state }) => state === "running");
  return {
    phase: "ready",
    reason: "not in Git; a copy of it runs from the workspace",
    ...(busy ? { runId: busy.runId } : {}),
  };
}

function planCopies(
  facts: TwinFacts,
  copies: ReadonlyMap<string, CopyFact | undefined>,
): { steps: Step[]; wakeAtMs?: number } {
  const steps: Step[] = [];
  const waiting = facts.requests.filter((request) => {
    if (!copies.has(request.runId) || facts.memory.open[request.runId]?.started) return false;
    if (!facts.cancels.has(request.runId)) return true;
    const reason = "cancelled before it started";
    steps.push({ kind: "reject-request", runId: request.runId, outcome: "cancelled", reason });
    return false;
  });
  const asked = new Set(facts.requests.map(({ runId }) => runId));
  for (const [runId, copy] of copies) {
    if (asked.has(runId) || facts.containers.some((container) => container.runId === runId)) continue;
    const [sourceKey] = keyOf(copy);
    if (facts.memory.open[runId]) steps.push({ kind: "finish-run", runId });
    else if (copy !== undefined && copy.state !== "copying")
      steps.push({ kind: "remove-copy", runId, ...(sourceKey === undefined ? {} : { sourceKey }) });
  }
  for (const container of facts.containers) {
    const problem = overDisk(copies.get(container.runId));
    if (problem !== undefined) steps.push(...stopped(facts, container, "disk full", problem));
  }
  const [next] = waiting;
  // Its own container is there when a crash came between making and starting it: it must not wait for itself.
  const isBusy = facts.containers.some(
    ({ runId, state }) => copies.has(runId) && state !== "exited" && runId !== next?.runId,
  );
  if (!next || isBusy) return { steps };
  const planned = planNext(facts, next, copies.get(next.runId));
  return { ...planned, steps: [...steps, ...planned.steps] };
}

function planNext(
  facts: TwinFacts,
  next: TwinFacts["requests"][number],
  copy: CopyFact | undefined,
): { steps: Step[]; wakeAtMs?: number } {
  const { runId, operation } = next;
  const reject = (reason: string): { steps: Step[] } => ({
    steps: [{ kind: "reject-request", runId, outcome: "failed", reason }],
  });
  if (copy === undefined) return { steps: [{ kind: "copy-work-tree", runId }] };
  if (copy.state === "copying") return { steps: [], wakeAtMs: facts.nowMs + lookAgainMs };
  if (copy.state === "failed") return reject(copy.reason);
  const { source, image, secretProblem } = copy;
  if (!source.spec.lifecycle[operation]) {
    const known = Object.keys(source.spec.lifecycle);
    const list = known.length === 0 ? "it has none" : `it has ${known.join(", ")}`;
    return reject(`${facts.name} in the workspace has no operation "${operation}": ${list}`);
  }
  if (operation === "execute" && isExecuting(facts)) {
    return reject("the twin itself runs, and two of them must not act at once: stop it first");
  }
  if (image.state === "unknown") return { steps: [], wakeAtMs: facts.nowMs + imageAgainMs };
  const key = restartKey(source, image.hash);
  const target: Target = {
    ...{ source, key, image, fallback: false },
    ...(secretProblem === undefined ? {} : { secretProblem }),
  };
  const ready = planImage(facts, target);
  if (ready.plan?.phase === "failed") return reject(ready.plan.reason ?? "its image cannot be built");
  if (ready.plan) return ready.plan;
  return {
    steps: [
      {
        kind: "start-run",
        ...{ runId, operation, cause: causeOfRequest(next), attempt: 1, key, source, image: ready.ready },
        request: next,
      },
    ],
  };
}

/** Git wants it up, or somebody has asked for it. */
function isExecuting(facts: TwinFacts): boolean {
  const isUp = facts.containers.some(
    ({ runId, operation, state }) =>
      !facts.copies?.has(runId) && operation === "execute" && state !== "exited",
  );
  const { desired } = facts;
  const shallRun = desired?.state === "running" && !desired.suspend && desired.overLimit === undefined;
  return isUp || shallRun;
}

function stopped(
  facts: TwinFacts,
  { runId, id: containerId }: ContainerFact,
  reason: "replaced" | "disk full",
  explanation: string,
): Step[] {
  return facts.stopping.has(runId) ? [] : [{ kind: "stop-run", runId, containerId, reason, explanation }];
}

function overDisk(copy: CopyFact | undefined): string | undefined {
  if (copy?.state !== "ready") return undefined;
  const limit = copy.source.spec.resources.diskBytes;
  if (limit === undefined || copy.diskBytes === undefined || copy.diskBytes <= limit) return undefined;
  const mebibytes = (bytes: number) => `${Math.ceil(bytes / 1024 ** 2)} MiB`;
  return `its files take ${mebibytes(copy.diskBytes)}, more than ${mebibytes(limit)} (resources.disk)`;
}

function keyOf(copy: CopyFact | undefined): string[] {
  return copy?.state === "ready" ? [copy.source.sourceKey] : [];
}
