import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "#core/errors";
import type { Logger } from "#core/logger";
import type { Engine } from "../engine/engine.ts";

const retryMs = 1_000;

/** Turns what happens in the engine into looks at the users concerned, until the signal. */
export async function watchEngine(
  engine: Engine,
  signal: AbortSignal,
  logger: Logger,
  see: { onUser: (user: string) => void; onEverybody: () => void },
): Promise<void> {
  while (!signal.aborted) {
    try {
      for await (const event of engine.containers.events(signal)) {
        if (event.container) see.onUser(event.container.labels.user);
        else see.onEverybody();
      }
    } catch (error) {
      if (!signal.aborted)
        logger.warn({ err: messageOf(error) }, "the engine's events stopped; trying again");
    }
    if (signal.aborted) return;
    await sleep(retryMs, undefined, { signal }).catch(() => undefined);
    if (!signal.aborted) see.onEverybody();
  }
}
