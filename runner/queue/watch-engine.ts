import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "#core/errors";
import type { Logger } from "#core/logger";
import type { Engine, EngineEvent } from "../engine/engine.ts";

const retryMs = 1_000;

/** Turns what happens in the engine into looks at the users concerned, until the signal. */
export async function watchEngine(
  engine: Engine,
  signal: AbortSignal,
  logger: Logger,
  see: { onEvent: (event: Required<EngineEvent>) => void; onEverybody: () => void },
): Promise<void> {
  while (!signal.aborted) {
    try {
      for await (const event of engine.containers.events(signal)) {
        const { kind, container } = event;
        if (container) see.onEvent({ kind, container });
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
