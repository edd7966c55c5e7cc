import { once } from "node:events";
import type { Response } from "express";
import { TryLaterError } from "#core/errors";
import type { ControllerMetrics } from "../metrics.ts";

const heartbeatMs = 15_000; // proxies drop connections that are silent for longer
const maxStreams = 500; // each holds a socket, a file and a watch

export interface StreamEvent {
  id?: string;
  event?: string;
  data: unknown;
}

/** A long answer, written as fast as the other side reads. */
export interface OpenStream {
  /** Aborts when the other side is gone or the process ends. */
  signal: AbortSignal;
  /** Resolves when there is room for more. */
  write(text: string): Promise<void>;
  close(): void;
}

/** Opens streams and knows how many there are. */
export class Streams {
  readonly #stopping: AbortSignal;
  readonly #gauge: ControllerMetrics["openStreams"];
  #open = 0;

  constructor(stopping: AbortSignal, gauge: ControllerMetrics["openStreams"]) {
    this.#stopping = stopping;
    this.#gauge = gauge;
  }

  /** Sends the headers. Errors: `TryLaterError` when too many are open. */
  open(response: Response, contentType: string): OpenStream {
    if (this.#open >= maxStreams) {
      throw new TryLaterError(`${maxStreams} streams are open already`, { retryAfterMs: 10_000 });
    }
    this.#gauge.set(++this.#open);
    const gone = new AbortController();
    const abort = () => gone.abort();
    this.#stopping.addEventListener("abort", abort, { once: true });
    if (this.#stopping.aborted) abort();
    response.once("close", () => {
      this.#stopping.removeEventListener("abort", abort);
      this.#gauge.set(--this.#open);
      abort();
    });
    response.status(200).set({
      "Content-Type": contentType,
      "Cache-Control": "no-cache, no-transform",
      "X-Accel-Buffering": "no",
    });
    response.locals["isStream"] = true;
    response.flushHeaders();
    return {
      signal: gone.signal,
      write: async (text) => {
        if (gone.signal.aborted || response.write(text)) return;
        await once(response, "drain", { signal: gone.signal }).catch(() => undefined);
      },
      close: () => response.end(),
    };
  }
}

/** Server-Sent Events on top of a stream: one call per event, heartbeats between. */
export function eventWriter(stream: OpenStream): (event: StreamEvent) => Promise<void> {
  const beat = setInterval(() => void stream.write(": still here\n\n"), heartbeatMs);
  stream.signal.addEventListener("abort", () => clearInterval(beat), { once: true });
  return async ({ id, event, data }) => {
    const lines = [
      ...(id === undefined ? [] : [`id: ${id}`]),
      ...(event === undefined ? [] : [`event: ${event}`]),
      `data: ${JSON.stringify(data)}`, // JSON has no line breaks
    ];
    await stream.write(`${lines.join("\n")}\n\n`);
  };
}
