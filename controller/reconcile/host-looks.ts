import { messageOf } from "#core/errors";
import type { Logger } from "#core/logger";
import { type ResyncDeps, resync } from "./resync.ts";

// How often hooks of projects that are known already are looked after, in resyncs.
const resyncsPerHookCheck = 60;

export interface HostLooksDeps {
  resync: ResyncDeps;
  everyMs: number;
  signal: AbortSignal;
  logger: Logger;
  /** Before the comparison: who may read what. */
  before(): Promise<void>;
  /** After it, one after another. `isFirst`: of this process; `hooks`: hooks were looked after, too. */
  after(look: { isFirst: boolean; hooks: boolean }): Promise<void>;
}

/** Compares everything with the Git host, now and then: what makes lost deliveries harmless. */
export class HostLooks {
  readonly #deps: HostLooksDeps;
  #looks = 0;
  #last: Date | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: HostLooksDeps) {
    this.#deps = deps;
  }

  /** When the host was compared with last. */
  get last(): Date | undefined {
    return this.#last;
  }

  start(): void {
    void this.#look();
    this.#timer = setInterval(() => void this.#look(), this.#deps.everyMs);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const { logger, signal, before, after } = this.#deps;
    const hooks = this.#looks % resyncsPerHookCheck === 0;
    try {
      await before();
      const result = await resync(this.#deps.resync, { hooks, signal });
      const isFirst = this.#looks === 0;
      this.#looks += 1;
      this.#last = new Date();
      const level = result.behind + result.added + result.removed > 0 ? "info" : "debug";
      logger[level](result, "compared with the host");
      await after({ isFirst, hooks });
    } catch (error) {
      logger.warn({ err: messageOf(error) }, "could not compare with the host; tried again soon");
    }
  }
}
