import { ActionNeededError } from "#core/errors";
import { type Kept, keepRunning } from "./keep-running.ts";
import type { Running } from "./running.ts";
import type { Stops } from "./stops.ts";
import type { Terminal } from "./terminal.ts";

/** Keeps the platform's processes up, tells the terminal about deaths, and has them stopped in their turn. */
export interface Keeper {
  process(name: string, start: () => Promise<Running>, log?: string): Promise<void>;
  /** Rejects when one of them keeps dying. */
  givenUp: Promise<never>;
}

export function keeper(terminal: Terminal, stops: Stops): Keeper {
  let giveUp: (error: Error) => void = () => {};
  const givenUp = new Promise<never>((_resolve, reject) => {
    giveUp = reject;
  });
  givenUp.catch(() => undefined); // nobody may be waiting yet
  return {
    givenUp,
    process: async (name, start, log = "<data>/logs") => {
      const kept: Kept = await keepRunning({
        name,
        start,
        onDeath: (how, pauseMs) =>
          terminal.say(`warning: ${how}; ${name} is started again in ${(pauseMs / 1000).toFixed(1)} s`),
        onBack: () => terminal.say(`${name} is back`),
        onGivenUp: (how) =>
          giveUp(
            new ActionNeededError("CHILD_KEEPS_DYING", `${name} dies again and again: ${how}`, {
              hint: `its log is in ${log}; start again once the reason is mended`,
            }),
          ),
      });
      stops.add(name, () => kept.stop());
    },
  };
}
