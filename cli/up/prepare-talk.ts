import type { PreparingTalk } from "#embedded/machine/prepare-machine";
import type { Terminal } from "./terminal.ts";

/** How preparing the machine talks to a person: it asks once, and only where somebody can answer. */
export function prepareTalk(terminal: Terminal, asks: boolean): PreparingTalk {
  return {
    approve: async ({ needed, perhaps }) => {
      if (needed.length > 0)
        terminal.say(`These packages of the distribution are needed: ${needed.join(", ")}.`);
      if (perhaps.length > 0)
        terminal.say(`Where no image registry can be reached also: ${perhaps.join(", ")}.`);
      return asks ? terminal.ask("Install them?") : true;
    },
    stage: (name) => terminal.stage(name),
    done: (detail) => terminal.done(detail),
  };
}
