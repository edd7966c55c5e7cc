import { rm } from "node:fs/promises";
import { join } from "node:path";
import { writeJsonAtomic } from "#core/atomic-file";
import type { DataFolder } from "#core/data-folder";
import { ActionNeededError } from "#core/errors";
import { type OnSetAside, readOrSetAside } from "#core/read-or-set-aside";
import { SerialByKey } from "#core/serial-by-key";

// A holder whose container is not there (yet) counts for this long: it is written down before the container is made.
const unbornMs = 10 * 60_000;

interface Hold {
  /** Number of the generation. */
  generation: number;
  /** `pinned`: this one alone; `live`: this one and every later one. */
  kind: "pinned" | "live";
  sinceMs: number;
}

/** Which containers, by name, hold which generations of a user's view. On disk before a container is made. */
export class ViewHolders {
  readonly #data: DataFolder;
  readonly #serial = new SerialByKey();
  readonly #cache = new Map<string, Record<string, Hold>>();
  readonly #onSetAside: OnSetAside;
  /** Users whose holds could not be read: until the next start everything of theirs counts as held. */
  readonly #lost = new Set<string>();

  constructor(data: DataFolder, onSetAside: OnSetAside) {
    this.#data = data;
    this.#onSetAside = onSetAside;
  }

  /** Resolves when it is on disk. Holding twice holds the older one, too. */
  async hold(
    user: string,
    container: string,
    hold: { generation: string; kind: Hold["kind"] },
  ): Promise<void> {
    const { kind } = hold;
    await this.#change(user, (holds) => {
      const number = Number(hold.generation.slice(1));
      const before = holds[container];
      const generation = before && before.kind === "live" ? Math.min(before.generation, number) : number;
      return { ...holds, [container]: { generation, kind, sinceMs: Date.now() } };
    });
  }

  /** What is held, given the names of all containers that are there. Holds of containers that are gone end here. */
  async held(
    user: string,
    containers: ReadonlySet<string>,
    nowMs: number,
  ): Promise<{ exact: Set<number>; from: number }> {
    const isAlive = ([name, { sinceMs }]: [string, Hold]) =>
      containers.has(name) || nowMs - sinceMs < unbornMs;
    const holds = await this.#change(user, (all) => {
      const alive = Object.entries(all).filter(isAlive);
      return alive.length === Object.keys(all).length ? all : Object.fromEntries(alive);
    });
    const all = Object.values(holds);
    const live = all.filter(({ kind }) => kind === "live").map(({ generation }) => generation);
    return {
      exact: new Set(all.map(({ generation }) => generation)),
      from: this.#lost.has(user) ? 0 : Math.min(Number.POSITIVE_INFINITY, ...live),
    };
  }

  forget(user: string): Promise<void> {
    return this.#serial.run(user, async () => {
      this.#cache.delete(user);
      await rm(this.#path(user), { force: true });
    });
  }

  #change(
    user: string,
    change: (holds: Record<string, Hold>) => Record<string, Hold>,
  ): Promise<Record<string, Hold>> {
    return this.#serial.run(user, async () => {
      const before = this.#cache.get(user) ?? (await this.#read(user)) ?? {};
      const after = change(before);
      if (after !== before) await writeJsonAtomic(this.#path(user), after);
      this.#cache.set(user, after);
      return after;
    });
  }

  #read(user: string): Promise<Record<string, Hold> | undefined> {
    return readOrSetAside(this.#path(user), {
      check: checkHolds,
      onSetAside: (found) => {
        this.#lost.add(user);
        this.#onSetAside(found);
      },
    });
  }

  #path(user: string): string {
    return join(this.#data.viewHolders, `${user}.json`);
  }
}

function checkHolds(value: unknown, path: string): Record<string, Hold> {
  const isHold = (hold: Partial<Hold> | null) =>
    typeof hold?.generation === "number" && typeof hold.sinceMs === "number";
  const isObject = value !== null && typeof value === "object" && !Array.isArray(value);
  if (isObject && Object.values(value).every(isHold)) return value as Record<string, Hold>;
  throw new ActionNeededError("DOCUMENT_INVALID", `${path} does not say who holds what`);
}
