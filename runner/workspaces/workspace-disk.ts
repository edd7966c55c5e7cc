import { messageOf } from "#core/errors";
import type { Logger } from "#core/logger";
import { uncountable } from "#planning/plan-workspace";
import type { WorkspaceContainers } from "../engine/workspace-containers.ts";

// A limited workspace may pass its limit by what it writes in this time and while it ends.
const limitedEveryMs = 5_000;
const unlimitedEveryMs = 60_000; // only told
// Counting may take this share of the time, so that a tree of a million files does not keep a disk busy.
const maxShare = 0.1;
const mebibyte = 1024 ** 2;

interface Known {
  usedBytes?: number;
  nextMs: number;
  counting?: Promise<void>;
}

/** What the files of workspaces take, as measured last. */
export class WorkspaceDisk {
  readonly #containers: Pick<WorkspaceContainers, "usage">;
  readonly #logger: Logger;
  readonly #known = new Map<string, Known>();

  constructor(containers: Pick<WorkspaceContainers, "usage">, logger: Logger) {
    this.#containers = containers;
    this.#logger = logger;
  }

  /** In whole MiB, rounded up, or `uncountable`; `undefined`: not measured yet. */
  used(user: string): number | undefined {
    return this.#known.get(user)?.usedBytes;
  }

  /** Measured now, so that a full workspace is known before it is started. */
  async measured(user: string): Promise<number | undefined> {
    await this.#count(user);
    return this.used(user);
  }

  /** Measures when it is due. Returns at once; `done` is called when there is something new. */
  look(user: string, isLimited: boolean, done: () => void): void {
    const known = this.#known.get(user);
    const nextMs =
      known === undefined ? 0 : isLimited ? known.nextMs : known.nextMs - limitedEveryMs + unlimitedEveryMs;
    if (known?.counting || Date.now() < nextMs) return;
    const before = known?.usedBytes;
    void this.#count(user).then(() => {
      if (this.used(user) !== before) done();
    });
  }

  #count(user: string): Promise<void> {
    const known = this.#known.get(user) ?? { nextMs: 0 };
    this.#known.set(user, known);
    known.counting ??= this.#measure(user, known).finally(() => delete known.counting);
    return known.counting;
  }

  async #measure(user: string, known: Known): Promise<void> {
    const fromMs = performance.now();
    try {
      const bytes = await this.#containers.usage(user);
      if (bytes === undefined) this.#logger.warn({ user }, "the files of a workspace take too long to count");
      known.usedBytes = bytes === undefined ? uncountable : Math.ceil(bytes / mebibyte) * mebibyte;
    } catch (error) {
      this.#logger.warn(
        { user, err: messageOf(error) },
        "the files of a workspace could not be measured; tried again soon",
      );
    }
    const tookMs = performance.now() - fromMs;
    known.nextMs = Date.now() + Math.max(limitedEveryMs, tookMs / maxShare);
  }
}
