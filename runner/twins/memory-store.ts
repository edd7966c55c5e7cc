import { rm } from "node:fs/promises";
import { join } from "node:path";
import { writeJsonAtomic, writeJsonUnflushed } from "#core/atomic-file";
import type { DataFolder } from "#core/data-folder";
import { type OnSetAside, readOrSetAside } from "#core/read-or-set-aside";
import { SerialByKey } from "#core/serial-by-key";
import { checkMemories } from "#planning/check-memory";
import { emptyMemory, type TwinMemory } from "#planning/memory";

/** `<user>.json`: everything, flushed to the disk. */
interface Stored {
  version: 1;
  /** Counts the times it was written. */
  written: number;
  twins: Record<string, TwinMemory>;
}

/** `<user>.begun`: everything, with the runs begun since `<user>.json` was written for the `since`th time; not flushed. */
interface Begun {
  since: number;
  twins: Record<string, TwinMemory>;
}

interface Memories {
  written: number;
  twins: Map<string, TwinMemory>;
}

/**
 * The runner's memory of one user's twins, written before anything that relies on it is done. What has been learnt (a
 * good source, a refused one, how a run ended) survives a power cut. That a run has begun survives a crash of this
 * process; after a power cut, which ends every run, it is learnt again from the engine and the manifest. A
 * file that cannot be understood is set aside: what runs is recalled from containers and manifests, the rest tried anew.
 */
export class MemoryStore {
  readonly #data: DataFolder;
  readonly #onSetAside: OnSetAside;
  readonly #cache = new Map<string, Promise<Memories>>();
  readonly #serial = new SerialByKey();

  constructor(data: DataFolder, onSetAside: OnSetAside) {
    this.#data = data;
    this.#onSetAside = onSetAside;
  }

  async twins(user: string): Promise<string[]> {
    return [...(await this.#load(user)).twins.keys()];
  }

  async get(user: string, twin: string): Promise<TwinMemory> {
    return (await this.#load(user)).twins.get(twin) ?? emptyMemory;
  }

  /** For everything that is learnt; on disk when this resolves. */
  async change(user: string, twin: string, change: (memory: TwinMemory) => TwinMemory): Promise<TwinMemory> {
    return await this.#change(user, twin, change, "flushed");
  }

  /** For the beginning of a run that the platform itself wants: a crash of this process does not lose it, a power cut may. */
  async begin(user: string, twin: string, change: (memory: TwinMemory) => TwinMemory): Promise<TwinMemory> {
    return await this.#change(user, twin, change, "begun");
  }

  async forget(user: string, twin: string): Promise<void> {
    const memories = await this.#load(user);
    if (memories.twins.delete(twin)) await this.#save(user, memories, "flushed");
  }

  async #change(
    user: string,
    twin: string,
    change: (memory: TwinMemory) => TwinMemory,
    how: "flushed" | "begun",
  ): Promise<TwinMemory> {
    const memories = await this.#load(user);
    const before = memories.twins.get(twin) ?? emptyMemory;
    const after = change(before);
    if (after === before) return before;
    memories.twins.set(twin, after);
    await this.#save(user, memories, how);
    return after;
  }

  #load(user: string): Promise<Memories> {
    const cached = this.#cache.get(user);
    if (cached) return cached;
    const loading = this.#read(user);
    this.#cache.set(user, loading);
    loading.catch(() => this.#cache.delete(user));
    return loading;
  }

  async #read(user: string): Promise<Memories> {
    const onSetAside = this.#onSetAside;
    const stored = await readOrSetAside(this.#path(user), { check: checkStored, onSetAside });
    const begun = await readOrSetAside(this.#begunPath(user), { check: checkBegun, onSetAside });
    const written = stored?.written ?? 0;
    const twins = begun?.since === written ? begun.twins : (stored?.twins ?? {});
    return { written, twins: new Map(Object.entries(twins)) };
  }

  /** One at a time for each user, so that what is on disk never goes back. */
  async #save(user: string, memories: Memories, how: "flushed" | "begun"): Promise<void> {
    await this.#serial.run(user, async () => {
      try {
        if (how === "begun") this.#writeBegun(user, memories);
        else await this.#writeAll(user, memories);
      } catch (error) {
        this.#cache.delete(user); // what is on disk counts
        throw error;
      }
    });
  }

  #writeBegun(user: string, { written, twins }: Memories): void {
    const begun: Begun = { since: written, twins: Object.fromEntries(twins) };
    writeJsonUnflushed(this.#begunPath(user), begun);
  }

  async #writeAll(user: string, memories: Memories): Promise<void> {
    if (memories.twins.size === 0) {
      await rm(this.#begunPath(user), { force: true });
      await rm(this.#path(user), { force: true });
      memories.written = 0;
      return;
    }
    const written = memories.written + 1;
    const stored: Stored = { version: 1, written, twins: Object.fromEntries(memories.twins) };
    await writeJsonAtomic(this.#path(user), stored);
    memories.written = written;
  }

  #path(user: string): string {
    return join(this.#data.memory, `${user}.json`);
  }

  #begunPath(user: string): string {
    return join(this.#data.memory, `${user}.begun`); // no name of a user makes the other path out of this one
  }
}

function checkStored(value: unknown, file: string): Pick<Stored, "written" | "twins"> {
  const { written, twins } = (value ?? {}) as Partial<Stored>;
  return { written: typeof written === "number" ? written : 0, twins: checkMemories(twins, file) };
}

function checkBegun(value: unknown, file: string): Begun {
  const { since, twins } = (value ?? {}) as Partial<Begun>;
  return { since: typeof since === "number" ? since : -1, twins: checkMemories(twins, file) };
}
