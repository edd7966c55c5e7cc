import { type FSWatcher, mkdirSync, watch } from "node:fs";
import { isAlive } from "#core/process-identity";
import type { ContainerLabels, EngineEvent } from "../engine.ts";
import { EventQueue } from "../event-queue.ts";
import type { RunFiles, RunState } from "./run-files.ts";

const maxWaiting = 10_000;
const settleMs = 20; // several changes in a row are looked at once
const lookMs = 1_000; // a supervisor that was killed writes nothing

/** What becomes of runs, whoever does it, from now on until the signal. */
export function processEvents(files: RunFiles, signal: AbortSignal): AsyncIterable<EngineEvent> {
  mkdirSync(files.states, { recursive: true });
  let watcher: FSWatcher | undefined;
  let settling: NodeJS.Timeout | undefined;
  const timer = setInterval(look, lookMs);
  const queue = new EventQueue<EngineEvent>({
    limit: maxWaiting,
    overflow: () => ({ kind: "reconnected" }),
    onEnd: () => {
      clearInterval(timer);
      clearTimeout(settling);
      watcher?.close();
    },
  });
  if (signal.aborted) {
    queue.end();
    return queue;
  }
  signal.addEventListener("abort", () => queue.end(), { once: true });
  let known = seenNow();
  watcher = watch(files.states, () => {
    settling ??= setTimeout(look, settleMs);
  });
  watcher.on("error", () => watcher?.close()); // the timer goes on

  function look(): void {
    clearTimeout(settling);
    settling = undefined;
    const before = known;
    known = seenNow(before);
    for (const [id, { phase, labels }] of known) {
      const old = before.get(id)?.phase;
      const container = { id, labels };
      if (old === undefined) queue.push({ kind: "started", container });
      if (phase === "exited" && old !== "exited") queue.push({ kind: "exited", container });
    }
    for (const [id, { labels }] of before) {
      if (!known.has(id)) queue.push({ kind: "removed", container: { id, labels } });
    }
  }

  function seenNow(before?: Map<string, Seen>): Map<string, Seen> {
    const seen = new Map<string, Seen>();
    for (const [id, state] of files.statesNow()) {
      const labels = before?.get(id)?.labels ?? files.runNow(id)?.spec.labels;
      if (labels !== undefined) seen.set(id, { labels, phase: phaseOf(state) });
    }
    return seen;
  }
  return queue;
}

interface Seen {
  labels: ContainerLabels;
  phase: "running" | "exited";
}

/** A run without a supervisor has no end written down, and has ended all the same. */
export function phaseOf(state: RunState): "running" | "exited" {
  return state.exitCode === undefined && isAlive(state.supervisor) ? "running" : "exited";
}
