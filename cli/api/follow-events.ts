import { setTimeout as delay } from "node:timers/promises";
import { ActionNeededError, TryLaterError } from "#core/errors";
import type { ApiClient } from "./api-client.ts";

const firstPauseMs = 500;
const maxPauseMs = 10_000;

export interface ServerEvent {
  event: string | undefined;
  data: string;
}

/**
 * The events of a stream, each once, up to and with the one called `end`; a connection that is lost on the way is taken up again
 * behind the event that came last.
 */
export async function* followEvents(
  api: ApiClient,
  path: string,
  hooks: { onLost: () => void; signal: AbortSignal },
): AsyncGenerator<ServerEvent> {
  let lastId: string | undefined;
  let pauseMs = firstPauseMs;
  for (let attempt = 0; ; attempt += 1) {
    try {
      for await (const { id, event, data } of api.events(path, lastId)) {
        yield { event, data };
        if (event === "end") return;
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
