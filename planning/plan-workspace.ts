import type { WorkspaceRequest, WorkspaceState } from "#schemas/workspace-state";
import {
  allowedBytes,
  type DiskFact,
  rememberDiskStart,
  stageStartedMs,
  type WorkspaceMemory,
} from "./workspace-memory.ts";

/** One container of a workspace, as the engine shows it now. */
export interface WorkspaceContainerFact {
  id: string;
  session: number;
  state: "created" | "running" | "exited";
  exitCode?: number;
}

/** The image of a workspace: there, on its way, or given up. */
export type WorkspaceImageFact =
  | { state: "present"; id: string; hash?: string }
  | { state: "missing" }
  | { state: "queued" | "building" | "pulling" }
  | { state: "failed"; reason: string };

/** Everything the planner may look at for one workspace. Times in milliseconds since 1970. */
export interface WorkspaceFacts {
  /** `undefined`: nobody ever asked for one. */
  request: WorkspaceRequest | undefined;
  containers: readonly WorkspaceContainerFact[];
  /** Of what the request asks for. */
  image: WorkspaceImageFact;
  memory: WorkspaceMemory;
  /** Its tools answer. */
  isServing: boolean;
  /** Whether the work tree of the running container is there: made or looked after since the container started. */
  workTree: "unknown" | "working" | "ready";
  /** What went wrong with the work tree last. */
  workTreeProblem?: string;
  /** Shared projects that its container sees and its user may not read any more. */
  lost: readonly string[];
  /** What its files take, where that is limited and could be measured. */
  disk?: DiskFact;
  /** Containers that are being stopped right now. */
  stopping: ReadonlySet<string>;
  nowMs: number;
}

/** Bytes of files that are too many to be measured in time: more than anybody may have. */
export const uncountable = Number.MAX_SAFE_INTEGER;

/** What is to be done, from top to bottom. Every step may be applied twice. */
export type WorkspaceStep =
  | { kind: "get-image" }
  | { kind: "drop-image-task" }
  | { kind: "create-container"; imageId: string }
  | { kind: "start-container"; containerId: string }
  | { kind: "prepare-work-tree"; containerId: string }
  | { kind: "stop-container"; containerId: string }
  | { kind: "remove-container"; containerId: string; crashed: boolean }
  | { kind: "end-session"; ended: NonNullable<WorkspaceMemory["ended"]> };

export interface WorkspacePlan {
  steps: WorkspaceStep[];
  state: WorkspaceState;
  reason?: string;
  /** Look again at this time even if nothing happens. */
  wakeAtMs?: number;
}

const minuteMs = 60_000;

/** How long a stage may last before the workspace is given up. `ready`, `stopped` and `failed` have no end. */
export const stageDeadlinesMs: Partial<Record<WorkspaceState, number>> = {
  queued: 30 * minuteMs, // behind the builds of others
  pulling: 20 * minuteMs,
  building: 20 * minuteMs, // the builder itself gives up after 15
  creating: 2 * minuteMs,
  starting: 10 * minuteMs, // the first clone of a large repository
};

// Whoever has too much is let in to make room. Each time may pass the limit by what is written until that is measured, so not
// without end.
const maxDiskOvers = 5;
// Its tools end by themselves: started anew this often in one session, then it is given up.
const maxCrashes = 3;
// A container that comes up is asked this often; people wait for it.
const startingLookMs = 40;
// What takes long says itself when it is done; this is in case it cannot.
const otherLookMs = 1_000;

/**
 * From what one workspace shall be and what is seen of it: the next steps, and the state that people are told. Pure; called
 * again whenever anything changes.
 */
export function planWorkspace(facts: WorkspaceFacts): WorkspacePlan {
  const { request, memory } = facts;
  if (request?.state !== "running" || memory.ended) return planRest(facts);
  const old = facts.containers.filter(({ session }) => session !== request.session);
  if (old.length > 0) return { ...retire(facts, old), state: "stopping", reason: "the former session ends" };
  if (facts.lost.length > 0 && facts.containers.length > 0) {
    // What is mounted stays readable until the container has gone; it is made again without it.
    const reason = `${request.user} may not read ${facts.lost.join(", ")} any more`;
    return { ...retire(facts, facts.containers), state: "stopping", reason };
  }
  const full = overDisk(facts);
  if (full !== undefined) {
    return { steps: [{ kind: "end-session", ended: full }], state: "failed", reason: full.reason };
  }
  const plan = planRunning(facts);
  const deadlineMs = stageDeadlinesMs[plan.state];
  const sinceMs = stageStartedMs(memory, plan.state);
  if (deadlineMs === undefined || sinceMs === undefined || facts.nowMs - sinceMs < deadlineMs) return plan;
  const why = facts.workTreeProblem ?? plan.reason;
  const reason = `${plan.state} took longer than ${deadlineMs / minuteMs} minutes${why ? `: ${why}` : ""}`;
  return { steps: [{ kind: "end-session", ended: { kind: "failed", reason } }], state: "failed", reason };
}

/** Nothing shall run. */
function planRest(facts: WorkspaceFacts): WorkspacePlan {
  const { ended } = facts.memory;
  const isBusy = ["queued", "building", "pulling"].includes(facts.image.state);
  const dropped: WorkspaceStep[] = isBusy ? [{ kind: "drop-image-task" }] : [];
  const reason = ended ? { reason: ended.reason } : {};
  if (facts.containers.length > 0) {
    const { steps, ...rest } = retire(facts, facts.containers);
    return { ...rest, ...reason, steps: [...dropped, ...steps], state: "stopping" };
  }
  const isGivenUp = ended?.kind === "failed" || ended?.kind === "disk";
  const failed = isGivenUp && facts.request?.state === "running";
  return {
    ...(failed || ended?.kind === "idle" ? reason : {}),
    steps: dropped,
    state: failed ? "failed" : "stopped",
  };
}

function retire(
  facts: WorkspaceFacts,
  containers: readonly WorkspaceContainerFact[],
): Pick<WorkspacePlan, "steps" | "wakeAtMs"> {
  const steps = containers.flatMap(({ id: containerId, state }): WorkspaceStep[] => {
    if (state !== "running") return [{ kind: "remove-container", containerId, crashed: false }];
    return facts.stopping.has(containerId) ? [] : [{ kind: "stop-container", containerId }];
  });
  return { steps, wakeAtMs: facts.nowMs + otherLookMs };
}

function planRunning(facts: WorkspaceFacts): WorkspacePlan {
  const [container] = facts.containers;
  if (!container) return planImage(facts);
  const containerId = container.id;
  switch (container.state) {
    case "created":
      return { steps: [{ kind: "start-container", containerId }], state: "starting" };
    case "exited":
      return planCrash(facts, container);
    case "running":
      return planReady(facts, containerId);
  }
}

/** Why it is not kept up any more, or not started: its files take more than they may. */
function overDisk(facts: WorkspaceFacts): NonNullable<WorkspaceMemory["ended"]> | undefined {
  const { disk, memory, containers } = facts;
  if (!disk || disk.usedBytes <= disk.limitBytes) return undefined;
  const told = diskRemark(disk);
  if (containers.length > 0) {
    if (disk.usedBytes <= allowedBytes(memory, disk) && disk.usedBytes !== uncountable) return undefined;
    return { kind: "disk", reason: `${told}: start it again and delete some; it is ended when they grow` };
  }
  if ((rememberDiskStart(memory, disk).diskOvers ?? 0) <= maxDiskOvers) return undefined;
  return {
    kind: "failed",
    reason: `${told}, and have grown ${maxDiskOvers} times since: ask an administrator to make room`,
  };
}

/** Said wherever a workspace is that has more than it may. */
export function diskRemark({ usedBytes, limitBytes }: DiskFact): string {
  if (usedBytes === uncountable) return "its files are too many to be counted within a minute";
  const mebibytes = (bytes: number) => `${Math.ceil(bytes / 1024 ** 2)} MiB`;
  return `its files take ${mebibytes(usedBytes)}, more than ${mebibytes(limitBytes)} (resources.disk)`;
}

function planImage(facts: WorkspaceFacts): WorkspacePlan {
  const { image, nowMs } = facts;
  switch (image.state) {
    case "present":
      return { steps: [{ kind: "create-container", imageId: image.id }], state: "creating" };
    case "missing":
      return { steps: [{ kind: "get-image" }], state: "queued" };
    case "failed": {
      const { reason } = image;
      return { steps: [{ kind: "end-session", ended: { kind: "failed", reason } }], state: "failed", reason };
    }
    default:
      return { steps: [], state: image.state, wakeAtMs: nowMs + otherLookMs };
  }
}

/** Its tools ended by themselves, or somebody ended the container. */
function planCrash(facts: WorkspaceFacts, container: WorkspaceContainerFact): WorkspacePlan {
  const reason = `its tools ended with exit code ${container.exitCode ?? "unknown"}`;
  if (facts.memory.crashes < maxCrashes) {
    const again: WorkspaceStep = { kind: "remove-container", containerId: container.id, crashed: true };
    return { steps: [again], state: "starting", reason };
  }
  const told = `${reason}, ${maxCrashes + 1} times in this session; its log says more`;
  return {
    steps: [{ kind: "end-session", ended: { kind: "failed", reason: told } }],
    state: "failed",
    reason: told,
  };
}

function planReady(facts: WorkspaceFacts, containerId: string): WorkspacePlan {
  const { nowMs, isServing, workTree, workTreeProblem } = facts;
  const steps: WorkspaceStep[] = workTree === "unknown" ? [{ kind: "prepare-work-tree", containerId }] : [];
  // What was ready stays so while a new process gets to know it again: its container has not ended since.
  const wasReady = stageStartedMs(facts.memory, "ready") !== undefined;
  if (!wasReady && (!isServing || workTree !== "ready")) {
    const reason = workTreeProblem === undefined ? {} : { reason: workTreeProblem };
    return { steps, ...reason, state: "starting", wakeAtMs: nowMs + startingLookMs };
  }
  const idleAtMs = stopsIdleAtMs(facts);
  const { disk } = facts;
  const isOver = disk !== undefined && disk.usedBytes > disk.limitBytes;
  const remark = isOver ? { reason: `${diskRemark(disk)}: delete some; it is ended when they grow` } : {};
  if (idleAtMs === undefined) return { steps, ...remark, state: "ready" };
  if (idleAtMs > nowMs) return { steps, ...remark, state: "ready", wakeAtMs: idleAtMs };
  const reason = `stopped after ${(facts.request?.idleStopAfterMs ?? 0) / 1000} s without work`;
  return { steps: [{ kind: "end-session", ended: { kind: "idle", reason } }], state: "stopping", reason };
}

/** When it is stopped for want of work, should none come; `undefined`: never. */
export function stopsIdleAtMs({
  request,
  memory,
}: Pick<WorkspaceFacts, "request" | "memory">): number | undefined {
  if (request?.idleStopAfterMs === undefined) return undefined;
  const keptMs = request.keptAliveAt === undefined ? 0 : Date.parse(request.keptAliveAt);
  const readyAt = memory.stages.findLast(({ name }) => name === "ready")?.startedAt;
  const readyMs = readyAt === undefined ? undefined : Date.parse(readyAt);
  if (readyMs === undefined) return undefined;
  return Math.max(keptMs, memory.lastActiveMs ?? 0, readyMs) + request.idleStopAfterMs;
}
