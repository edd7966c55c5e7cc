import { messageOf } from "#core/errors";
import type { Running } from "./running.ts";

const firstPauseMs = 500;
const maxPauseMs = 30_000;
const steadyMs = 60_000; // up for this long, it counts as well again
const maxDeathsInARow = 8; // about two minutes of trying

export interface Kept {
  /** Resolves to what stopping the process did. */
  stop(): Promise<unknown>;
}

export interface KeepOptions {
  name: string;
  start(): Promise<Running>;
  /** It died and is started again after the pause. */
  onDeath(how: string, pauseMs: number): void;
  /** It is up again. */
  onBack(): void;
  /** It died too often in a row; nothing is tried any more. */
  onGivenUp(how: string): void;
  /** For tests: how long to wait, and what time it is. */
  pause?: (ms: number, signal: AbortSignal) => Promise<void>;
  now?: () => number;
}

/**
 * Starts a process and starts it again whenever it dies, with growing pauses. The first start throws what went wrong; later ones are
 * deaths like any other.
 */
export async function keepRunning(options: KeepOptions): Promise<Kept> {
  const now = options.now ?? Date.now;
  const pause = options.pause ?? pauseFor;
  const stopping = new AbortController();
  let running: Running | undefined = await options.start();
  let startedAt = now();
  let deaths = 0;
  const watch = async (): Promise<void> => {
    let how = "";
    for (;;) {
      if (running !== undefined) how = await running.exited;
      if (stopping.signal.aborted) return;
      deaths = now() - startedAt > steadyMs ? 1 : deaths + 1;
      running = undefined;
      if (deaths > maxDeathsInARow) {
        options.onGivenUp(how);
        return;
      }
      const pauseMs = Math.min(firstPauseMs * 2 ** (deaths - 1), maxPauseMs);
      options.onDeath(how, pauseMs);
      await pause(pauseMs, stopping.signal);
      if (stopping.signal.aborted) return;
      startedAt = now();
      try {
        running = await options.start();
        if (stopping.signal.aborted) {
          await running.stop();
          return;
        }
        options.onBack();
      } catch (error) {
        how = messageOf(error);
      }
    }
  };
  const watching = watch();
  return {
    stop: async () => {
      stopping.abort();
      const done = await running?.stop();
      await watching;
      return done;
    },
  };
}

function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
