import { rm } from "node:fs/promises";
import { join } from "node:path";
import { readJson, writeJsonAtomic } from "#core/atomic-file";
import type { DataFolder } from "#core/data-folder";
import { SerialByKey } from "#core/serial-by-key";
import type { PinnedSnapshot } from "#schemas/desired-state";

// A holder whose container is not there (yet) counts for this long: it is written down before the container is made.
const unbornMs = 10 * 60_000;

interface Hold {
  /** Number of the generation. */
  generation: number;
  /** `pinned`: this one alone; `live`: this one and every later one. */
  kind: "pinned" | "live";
  sinceMs: number;
  /** What the container's own /workspace lies over. */
  base?: PinnedSnapshot;
}

/** Which containers, by name, hold which generations of a user's view. On disk before a container is made. */
export class ViewHolders {
  readonly #data: DataFolder;
  readonly #serial = new SerialByKey();
  readonly #cache = new Map<string, Record<string, Hold>>();

  constructor(data: DataFolder) {
    this.#data = data;
  }

  /** Resolves when it is on disk. Holding twice holds the older one, too. */
  async hold(
    user: string,
    container: string,
    hold: { generation: string; kind: Hold["kind"]; base?: PinnedSnapshot },
  ): Promise<void> {
    const { kind, base } = hold;
    await this.#change(user, (holds) => {
      const number = Number(hold.generation.slice(1));
      const before = holds[container];
      const generation = before && before.kind === "live" ? Math.min(before.generation, number) : number;
      return {
        ...holds,
        [container]: { generation, kind, sinceMs: Date.now(), ...(base ? { base } : {}) },
      };
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
      from: Math.min(Number.POSITIVE_INFINITY, ...live),
    };
  }

  /** Snapshots that holders lie over. */
  async bases(user: string): Promise<PinnedSnapshot[]> {
    const holds = await this.#change(user, (all) => all);
    return Object.values(holds).flatMap(({ base }) => base ?? []);
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
      const before =
        this.#cache.get(user) ?? ((await readJson(this.#path(user))) as Record<string, Hold>) ?? {};
      const after = change(before);
      if (after !== before) await writeJsonAtomic(this.#path(user), after);
      this.#cache.set(user, after);
      return after;
    });
  }

  #path(user: string): string {
    return join(this.#data.viewHolders, `${user}.json`);
  }
}
