import { setTimeout as sleep } from "node:timers/promises";
import { TryLaterError } from "#core/errors";
import { isEnd, type PipelineState } from "#schemas/pipelines";
import type { ForgeProject } from "../forge/forge.ts";
import { type ForgePipelines, maxTraceBytes } from "../forge/forge-pipelines.ts";

const firstPaceMs = 1_000; // between two looks at a trace that grows
const slowestPaceMs = 5_000;
const shareMs = 50; // for each trace that is followed: all together ask at most 20 times a second
const maxLineBytes = 64 * 1024; // a longer one is handed on in parts

/** A line of a job's trace, without its end, and the byte offset behind it. */
export interface TraceLine {
  text: string;
  offset: number;
}

export interface FollowedJob {
  project: ForgeProject;
  job: number;
  /** From an earlier line; 0: from the beginning. */
  offset: number;
  follow: boolean;
  signal: AbortSignal;
}

/**
 * Follows traces of jobs with the platform's token, each with a pace of its own that all of them together bound. Who may look is decided by
 * the caller.
 */
export class TraceReader {
  readonly #pipelines: Pick<ForgePipelines, "trace" | "job">;
  readonly #firstPaceMs: number;
  #open = 0;

  constructor(pipelines: Pick<ForgePipelines, "trace" | "job">, firstMs: number = firstPaceMs) {
    this.#pipelines = pipelines;
    this.#firstPaceMs = firstMs;
  }

  /** Lines until the job has ended, or, without `follow`, until there are no more now. Resolves with the job's state. */
  async *lines(followed: FollowedJob): AsyncGenerator<TraceLine, PipelineState | undefined> {
    const { project, job, follow, signal } = followed;
    const rest = new Rest(followed.offset);
    let paceMs = this.#firstPaceMs;
    let state: PipelineState | undefined;
    this.#open += 1;
    try {
      while (!signal.aborted) {
        try {
          const part = await this.#pipelines.trace(project, job, { offset: rest.end });
          if (part === undefined) return undefined;
          yield* rest.take(part);
          if (part.length > 0) {
            paceMs = this.#firstPaceMs;
            state = undefined; // asked for again when the trace stands still
            if (!follow || part.length >= maxTraceBytes) continue; // more of it is there already
          } else {
            const isLast = !follow || (state !== undefined && isEnd(state)); // read once more after the end
            if (isLast) {
              yield* rest.last();
              return state ?? (await this.#pipelines.job(project, job))?.state;
            }
            state = (await this.#pipelines.job(project, job))?.state;
            if (state === undefined) return undefined;
            if (isEnd(state)) continue;
            paceMs = Math.min(paceMs * 1.5, slowestPaceMs);
          }
        } catch (error) {
          if (!(error instanceof TryLaterError) || !follow) throw error;
          paceMs = Math.max(slowestPaceMs, error.retryAfterMs);
        }
        const fairMs = Math.max(paceMs, this.#open * shareMs);
        await sleep(fairMs, undefined, { signal }).catch(() => undefined);
      }
      return state;
    } finally {
      this.#open -= 1;
    }
  }
}

/** Bytes that are no whole line yet. */
class Rest {
  /** Offset behind everything that was read. */
  end: number;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(offset: number) {
    this.end = offset;
  }

  *take(part: Buffer): Generator<TraceLine> {
    this.end += part.length;
    this.#bytes = Buffer.concat([this.#bytes, part]);
    for (let at = this.#bytes.indexOf(10); at !== -1; at = this.#bytes.indexOf(10)) yield this.#line(at, 1);
    while (this.#bytes.length > maxLineBytes) yield this.#line(maxLineBytes, 0);
  }

  /** What the job has printed without ending the line. */
  *last(): Generator<TraceLine> {
    if (this.#bytes.length > 0) yield this.#line(this.#bytes.length, 0);
  }

  #line(length: number, ending: number): TraceLine {
    const text = this.#bytes.subarray(0, length).toString("utf8");
    this.#bytes = this.#bytes.subarray(length + ending);
    return { text, offset: this.end - this.#bytes.length };
  }
}
