import { messageOf } from "#core/errors";
import type { Terminal } from "./terminal.ts";

/** Ends what was started, last first. What cannot be ended is said and does not keep the rest up. */
export class Stops {
  readonly #terminal: Terminal;
  readonly #stops: { name: string; stop: () => Promise<string | undefined> }[] = [];

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  add(name: string, stop: () => Promise<unknown>): void {
    this.#stops.push({ name, stop: async () => textOf(await stop()) });
  }

  async run(): Promise<void> {
    for (const { name, stop } of this.#stops.splice(0).reverse()) {
      this.#terminal.stage(name);
      try {
        this.#terminal.done((await stop()) ?? "stopped");
      } catch (error) {
        this.#terminal.failed(messageOf(error));
      }
    }
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
