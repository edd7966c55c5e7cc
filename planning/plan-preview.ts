import type { ObservedPreview, ObservedPreviewRun, PreviewPhase, WantedPreview } from "#schemas/previews";
import { isOver } from "#schemas/previews";
import type { ContainerFact, ImageFact, Step, StopReason } from "./facts.ts";
import { earliest } from "./status.ts";
import { planImage } from "./target.ts";

// What a preview has kept stays at least this long after its end, however late in its time that was: it is to be read.
const minKeptMs = 10 * 60_000;
const mebibyte = 1024 * 1024;

/** Everything the planner may look at for one preview: one twin of one merge request. */
export interface PreviewFacts {
  /** `undefined`: nobody wants it any more. */
  wanted: WantedPreview | undefined;
  /** What was done of it; `undefined`: nothing yet. */
  seen: ObservedPreview | undefined;
  /** Why this engine can have none. */
  unsupported?: string | undefined;
  /** Why it may not begin now, should it not have begun. */
  noRoom?: string | undefined;
  image: ImageFact;
  containers: readonly ContainerFact[];
  /** Its network or its layer is there, or those of an earlier commit. */
  hasRemains: boolean;
  /** Runs whose container is being stopped right now. */
  stopping: ReadonlySet<string>;
  /** Projects whose shared assets the user may read now. */
  readable: ReadonlySet<string>;
  /** Bytes that its layer takes; 0 where that is not limited. */
  diskBytes: number;
  nowMs: number;
}

/** What is to be done, from top to bottom. Every step may be applied twice. */
export type PreviewStep =
  | Extract<Step, { kind: "build-image" | "stop-run" }>
  | {
      kind: "finish-run";
      runId: string;
      containerId?: string;
      /** Why it ends, where that is not written down yet. */
      ending?: { reason: StopReason; explanation: string };
    }
  | {
      kind: "start-operation";
      operation: string;
      /** Absent for one that has not begun: its id is made, and written down, when the step is applied. */
      runId?: string;
      image: { hash: string; id: string };
    }
  /** Containers, network and layer go; what was kept stays. */
  | { kind: "clear" }
  /** Logs and outputs go; what is said of it stays. */
  | { kind: "drop-kept" }
  /** All of it goes, what is said of it last. */
  | { kind: "forget" };

export interface PreviewPlan {
  steps: PreviewStep[];
  /** What is said of it from now on, without the runs: those are noted when they begin and end. */
  status?: Pick<ObservedPreview, "phase"> & { reason?: string };
  /** Look again at this time even if nothing happens. */
  wakeAtMs?: number;
}

/**
 * From what one preview shall be and what is seen of it: the next steps. A preview runs its operations once, one after
 * the other; nothing in it is kept up, tried again or rolled back. Pure; called again until no steps are left.
 */
export function planPreview(facts: PreviewFacts): PreviewPlan {
  const { wanted, seen } = facts;
  if (!wanted) return { steps: [{ kind: "forget" }] };
  if (facts.unsupported !== undefined) {
    return { steps: [], status: { phase: "failed", reason: facts.unsupported } };
  }
  const isOther = seen && (seen.commit !== wanted.commit || seen.attempt !== wanted.attempt);
  const known = new Set((seen?.runs ?? []).map(({ run }) => run));
  if (seen && !isOther && isOver(seen)) return planOver(facts, wanted, seen);
  // What nobody has written down, as after a damaged file, is no beginning of this one.
  const isStray = facts.containers.some(({ runId }) => !known.has(runId)) || (!seen && facts.hasRemains);
  if (isOther || isStray) return { steps: [{ kind: "forget" }] };
  const last = seen?.runs.at(-1);
  if (last && last.outcome === undefined) return planOpen(facts, wanted, last);
  if (last && !last.counts) return ended("failed", last.reason ?? `${last.operation} failed`);
  return planNext(facts, wanted, seen?.runs ?? []);
}

/** It has ended: nothing of it takes room any more, and after its time neither does what it kept. */
function planOver(facts: PreviewFacts, wanted: WantedPreview, seen: ObservedPreview): PreviewPlan {
  if (facts.containers.length > 0 || facts.hasRemains) return { steps: [{ kind: "clear" }] };
  if (seen.phase === "expired") return { steps: [] };
  const removeAtMs = Math.max(endsAtMs(wanted), Date.parse(seen.since) + minKeptMs);
  if (facts.nowMs < removeAtMs) return { steps: [], wakeAtMs: removeAtMs };
  const reason = seen.reason ?? "ended well";
  return {
    steps: [{ kind: "drop-kept" }],
    status: { phase: "expired", reason: `${reason}; its log and outputs are no longer kept (preview.ttl)` },
  };
}

/** An operation has begun. */
function planOpen(facts: PreviewFacts, wanted: WantedPreview, open: ObservedPreviewRun): PreviewPlan {
  const { operation, run: runId } = open;
  const status = { phase: "running" as const, reason: `${operation} runs` };
  const container = facts.containers.find((one) => one.runId === runId);
  if (!container || container.state === "created") {
    // Not there although it was started: somebody removed it.
    if (!container && open.startedAt !== undefined) return { steps: [{ kind: "finish-run", runId }], status };
    return { ...begin(facts, wanted, { operation, runId }), status };
  }
  const containerId = container.id;
  if (container.state === "exited") return { steps: [{ kind: "finish-run", runId, containerId }], status };
  const stop = stopReason(facts, wanted, container);
  if ("reason" in stop) {
    if (facts.stopping.has(runId)) return { steps: [], status };
    return { steps: [{ kind: "stop-run", runId, containerId, ...stop }], status };
  }
  return { steps: [], status, wakeAtMs: stop.atMs };
}

/** Why the running container is ended now, or when it will be. */
function stopReason(
  facts: PreviewFacts,
  wanted: WantedPreview,
  container: ContainerFact,
): { reason: StopReason; explanation: string } | { atMs: number } {
  const lost = lostProjects(facts, wanted);
  if (lost !== undefined) return { reason: "access removed", explanation: lost };
  if (container.state === "paused" || container.changed) {
    return { reason: "changed", explanation: "somebody changed the container" };
  }
  const { diskBytes: limit } = wanted.resources;
  if (limit !== undefined && facts.diskBytes > limit) {
    const explanation = `its files take ${Math.ceil(facts.diskBytes / mebibyte)} MiB, more than ${Math.ceil(limit / mebibyte)} MiB (resources.disk)`;
    return { reason: "disk full", explanation };
  }
  const timeoutMs = wanted.operations.find(({ name }) => name === container.operation)?.timeoutMs;
  const startedAtMs = container.startedAtMs ?? facts.nowMs;
  const dueMs = startedAtMs + (timeoutMs ?? wanted.durationMs);
  const endMs = endsAtMs(wanted);
  const atMs = Math.min(dueMs, endMs);
  if (facts.nowMs < atMs) return { atMs };
  if (timeoutMs === undefined) {
    const field = dueMs <= endMs ? "preview.duration" : "preview.ttl";
    return { reason: "time over", explanation: `stopped at the end of its time (${field})` };
  }
  return dueMs <= endMs
    ? { reason: "timed out", explanation: `took longer than ${timeoutMs / 1000} s` }
    : {
        reason: "timed out",
        explanation: "had not ended when the time of the preview was over (preview.ttl)",
      };
}

/** Nothing of it runs: the next operation, if there is one. */
function planNext(
  facts: PreviewFacts,
  wanted: WantedPreview,
  runs: readonly ObservedPreviewRun[],
): PreviewPlan {
  const next = wanted.operations[runs.length];
  if (!next) return ended("done");
  const hasBegun = runs.length > 0;
  const waits = (phase: PreviewPhase, reason: string, more: Omit<PreviewPlan, "status">): PreviewPlan => {
    const endMs = endsAtMs(wanted);
    if (facts.nowMs < endMs) {
      return { ...more, status: { phase, reason }, wakeAtMs: earliest(more.wakeAtMs, endMs) ?? endMs };
    }
    return ended(hasBegun ? "failed" : "expired", `its time was over before ${next.name} began: ${reason}`);
  };
  if (facts.nowMs >= endsAtMs(wanted)) return waits("waiting", "it did not get its turn", { steps: [] });
  const lost = lostProjects(facts, wanted);
  if (lost !== undefined) return ended("failed", lost);
  if (facts.image.state === "unknown") {
    return waits("waiting", facts.image.reason, { steps: [], wakeAtMs: facts.nowMs + 5_000 });
  }
  const { image } = facts;
  const built = planImage(facts, { image, source: { spec: { workspace: wanted.workspace } } });
  if (built.plan) {
    const { steps, phase, reason = "its image is built", wakeAtMs } = built.plan;
    const again = wakeAtMs === undefined ? {} : { wakeAtMs };
    const building = steps.flatMap((step) => (step.kind === "build-image" ? step : []));
    if (phase === "failed" && wakeAtMs === undefined) return ended("failed", reason);
    return waits("building", reason, { steps: building, ...again });
  }
  if (!hasBegun && facts.noRoom !== undefined) return waits("waiting", facts.noRoom, { steps: [] });
  return {
    ...begin(facts, wanted, { operation: next.name }),
    status: { phase: "running", reason: `${next.name} runs` },
  };
}

function begin(
  facts: PreviewFacts,
  wanted: WantedPreview,
  run: { operation: string; runId?: string },
): Pick<PreviewPlan, "steps" | "wakeAtMs"> {
  const lost = lostProjects(facts, wanted);
  if (lost !== undefined && run.runId !== undefined) {
    const container = facts.containers.find(({ runId }) => runId === run.runId);
    const made = container ? { containerId: container.id } : {};
    const ending = { reason: "access removed" as const, explanation: lost };
    return { steps: [{ kind: "finish-run", runId: run.runId, ...made, ending }] };
  }
  const { image } = facts;
  // An image that has gone since: looked for again.
  if (image.state !== "present") {
    const steps = image.state === "missing" ? [buildStep(wanted, image.hash)] : [];
    return { steps, wakeAtMs: facts.nowMs + 5_000 };
  }
  return { steps: [{ kind: "start-operation", ...run, image: { hash: image.hash, id: image.id } }] };
}

function buildStep(wanted: WantedPreview, hash: string): PreviewStep {
  return { kind: "build-image", hash, workspace: wanted.workspace };
}

/** The end of its time, whatever it does then. */
function endsAtMs({ wantedAt, ttlMs }: WantedPreview): number {
  return Date.parse(wantedAt) + ttlMs;
}

function ended(phase: "done" | "failed" | "expired", reason?: string): PreviewPlan {
  return { steps: [{ kind: "clear" }], status: { phase, ...(reason === undefined ? {} : { reason }) } };
}

function lostProjects(facts: PreviewFacts, wanted: WantedPreview): string | undefined {
  const lost = wanted.shared.filter(({ project }) => !facts.readable.has(project));
  if (lost.length === 0) return undefined;
  return `may not read ${lost.map(({ project }) => project).join(", ")} any more`;
}
