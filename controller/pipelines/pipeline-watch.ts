import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { TryLaterError } from "#core/errors";
import { isOver, type PipelineTree } from "#schemas/pipelines";
import type { ForgePipelines } from "../forge/forge-pipelines.ts";
import { type PipelineAt, readTree } from "./read-tree.ts";

const firstPaceMs = 3_000; // between two looks at a pipeline that moves and whose webhooks do not come
const slowestPaceMs = 30_000; // at one that stands still
const growth = 1.5;
const pauseAfterEventMs = 300; // several events come at once, and one look answers them all
const maxWatches = 200; // pipelines that are looked at; each costs the host a few questions a look

export interface WatchPaces {
  firstMs: number;
  slowestMs: number;
  afterEventMs: number;
}

/** A pipeline as it was at one moment. The same `version` is the same tree, in every process. */
export interface SeenPipeline {
  tree: PipelineTree;
  version: string;
}

interface Watch {
  at: PipelineAt;
  seen: SeenPipeline | undefined;
  end: { error?: unknown } | undefined;
  readers: number;
  stop: AbortController;
  /** Replaced at each change; who waits for the old one is woken. */
  change: { happened: Promise<void>; tell: () => void };
  nudge: AbortController;
}

/**
 * Follows pipelines for as long as somebody looks: events make it ask at once, a bounded pace makes it ask at all. However many look
 * at one pipeline, the host is asked once, with the platform's token: who may look is decided by the caller.
 */
export class PipelineWatch {
  readonly #pipelines: Pick<ForgePipelines, "show">;
  readonly #watches = new Map<string, Watch>();
  readonly #paces: WatchPaces;

  constructor(
    pipelines: Pick<ForgePipelines, "show">,
    paces: WatchPaces = { firstMs: firstPaceMs, slowestMs: slowestPaceMs, afterEventMs: pauseAfterEventMs },
  ) {
    this.#pipelines = pipelines;
    this.#paces = paces;
  }

  /** Something of this project's pipelines has changed. */
  changed(projectId: number): void {
    for (const watch of this.#watches.values()) {
      if (watch.at.project.id === projectId) watch.nudge.abort();
    }
  }

  /**
   * The pipeline now and after each change, until nothing of it goes on or the signal aborts. A host that is away for a
   * while ends nothing. Errors: `TryLaterError` when too many are followed; `ActionNeededError` of the host.
   */
  async *follow(at: Omit<PipelineAt, "token">, signal: AbortSignal): AsyncGenerator<SeenPipeline> {
    const watch = this.#enter(at);
    const gone = aborted(signal);
    let last: string | undefined;
    try {
      while (!signal.aborted) {
        const { change, seen, end } = watch;
        if (seen && seen.version !== last) {
          last = seen.version;
          yield seen;
          continue; // it may have changed while the reader took it
        }
        if (end?.error !== undefined) throw end.error;
        if (end) return;
        await Promise.race([change.happened, gone]);
      }
    } finally {
      watch.readers -= 1;
      if (watch.readers === 0) this.#leave(watch);
    }
  }

  #enter(at: Omit<PipelineAt, "token">): Watch {
    const key = keyOf(at);
    const known = this.#watches.get(key);
    if (known) {
      known.readers += 1;
      return known;
    }
    if (this.#watches.size >= maxWatches) {
      throw new TryLaterError(`${maxWatches} pipelines are followed already`, { retryAfterMs: 10_000 });
    }
    const { project, user, id } = at;
    const watch: Watch = {
      at: { project, user, id },
      seen: undefined,
      end: undefined,
      readers: 1,
      stop: new AbortController(),
      change: newChange(),
      nudge: new AbortController(),
    };
    this.#watches.set(key, watch);
    void this.#look(watch);
    return watch;
  }

  #leave(watch: Watch): void {
    watch.stop.abort();
    if (this.#watches.get(keyOf(watch.at)) === watch) this.#watches.delete(keyOf(watch.at));
  }

  async #look(watch: Watch): Promise<void> {
    let paceMs = this.#paces.firstMs;
    while (!watch.stop.signal.aborted && !watch.end) {
      watch.nudge = new AbortController(); // an event that comes from here on asks for another look
      try {
        const tree = await readTree(this.#pipelines, watch.at);
        const seen = tree && { tree, version: versionOf(tree) };
        const isNews = seen !== undefined && seen.version !== watch.seen?.version;
        paceMs = isNews ? this.#paces.firstMs : Math.min(paceMs * growth, this.#paces.slowestMs);
        if (isNews) watch.seen = seen;
        if (tree === undefined || isOver(tree)) watch.end = {};
        if (isNews || watch.end) tell(watch);
      } catch (error) {
        if (error instanceof TryLaterError) {
          paceMs = Math.max(Math.min(paceMs * growth, this.#paces.slowestMs), error.retryAfterMs);
        } else {
          watch.end = { error };
          tell(watch);
        }
      }
      if (!watch.end) await pause(paceMs, this.#paces.afterEventMs, watch);
    }
    // Who comes after the end asks anew: it may have been retried.
    if (this.#watches.get(keyOf(watch.at)) === watch) this.#watches.delete(keyOf(watch.at));
  }
}

function keyOf({ project, id }: Pick<PipelineAt, "project" | "id">): string {
  return `${project.id}:${id}`;
}

function versionOf(tree: PipelineTree): string {
  return createHash("sha256").update(JSON.stringify(tree)).digest("hex").slice(0, 16);
}

function newChange(): Watch["change"] {
  let tell: () => void = () => undefined;
  const happened = new Promise<void>((resolve) => {
    tell = resolve;
  });
  return { happened, tell };
}

function tell(watch: Watch): void {
  const { change } = watch;
  watch.change = newChange();
  change.tell();
}

/** Until the pace has passed, or a moment after an event. */
async function pause(paceMs: number, afterEventMs: number, watch: Watch): Promise<void> {
  const stop = watch.stop.signal;
  await sleep(paceMs, undefined, { signal: AbortSignal.any([stop, watch.nudge.signal]) }).catch(
    () => undefined,
  );
  if (watch.nudge.signal.aborted)
    await sleep(afterEventMs, undefined, { signal: stop }).catch(() => undefined);
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
