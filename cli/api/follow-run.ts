import { setTimeout as delay } from "node:timers/promises";
import { ActionNeededError, TryLaterError } from "#core/errors";
import type { LogLine, Outcome } from "#schemas/run";
import type { ApiClient } from "./api-client.ts";
import { runPath, type TwinName } from "./paths.ts";

const firstPauseMs = 500;
const maxPauseMs = 10_000;

export interface RunEnd {
  outcome: Outcome | null;
  exitCode: number | null;
  reason: string | null;
}

export interface FollowHooks {
  onLine: (line: LogLine) => void;
  onLost: () => void;
  signal: AbortSignal;
}

/**
 * Hands on every line of a run's log, once, until it has ended; a connection that is lost on the way is taken up again
 * where it was. Resolves with how the run ended.
 */
export async function followRun(
  api: ApiClient,
  run: { twin: TwinName; id: string },
  hooks: FollowHooks,
): Promise<RunEnd> {
  return await followLog(api, `${runPath(run.twin, run.id)}/log`, hooks);
}

/** The same for the log at this path. */
export async function followLog(api: ApiClient, path: string, hooks: FollowHooks): Promise<RunEnd> {
  let lastId: string | undefined;
  let pauseMs = firstPauseMs;
  for (let attempt = 0; ; attempt += 1) {
    try {
      for await (const { id, event, data } of api.events(path, lastId)) {
        if (event === "end") return JSON.parse(data) as RunEnd;
        hooks.onLine(JSON.parse(data) as LogLine);
        lastId = id ?? lastId;
        pauseMs = firstPauseMs;
      }
    } catch (error) {
      const isLost = error instanceof TypeError || error instanceof TryLaterError || isUnreachable(error);
      if (hooks.signal.aborted || !isLost || (attempt === 0 && isUnreachable(error))) throw error;
    }
    hooks.onLost();
    await delay(pauseMs, undefined, { signal: hooks.signal });
    pauseMs = Math.min(pauseMs * 2, maxPauseMs);
  }
}

function isUnreachable(error: unknown): boolean {
  return error instanceof ActionNeededError && error.code === "API_UNREACHABLE";
}
