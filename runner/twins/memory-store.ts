import { rm } from "node:fs/promises";
import { join } from "node:path";
import { writeJsonAtomic } from "#core/atomic-file";
import type { DataFolder } from "#core/data-folder";
import { type OnSetAside, readOrSetAside } from "#core/read-or-set-aside";
import { checkMemories } from "#planning/check-memory";
import { emptyMemory, type TwinMemory } from "#planning/memory";

/**
 * The runner's memory of one user's twins, on disk before anything that relies on it is done. One that cannot be understood is set
 * aside: runs that go on are recalled from their containers and manifests, the rest is tried anew.
 */
export class MemoryStore {
  readonly #data: DataFolder;
  readonly #onSetAside: OnSetAside;
  readonly #cache = new Map<string, Map<string, TwinMemory>>();

  constructor(data: DataFolder, onSetAside: OnSetAside) {
    this.#data = data;
    this.#onSetAside = onSetAside;
  }

  async twins(user: string): Promise<string[]> {
    return [...(await this.#load(user)).keys()];
  }

  async get(user: string, twin: string): Promise<TwinMemory> {
    return (await this.#load(user)).get(twin) ?? emptyMemory;
  }

  async change(user: string, twin: string, change: (memory: TwinMemory) => TwinMemory): Promise<TwinMemory> {
    const memories = await this.#load(user);
    const before = memories.get(twin) ?? emptyMemory;
    const after = change(before);
    if (after === before) return before;
    memories.set(twin, after);
    await this.#save(user, memories);
    return after;
  }

  async forget(user: string, twin: string): Promise<void> {
    const memories = await this.#load(user);
    if (memories.delete(twin)) await this.#save(user, memories);
  }

  async #load(user: string): Promise<Map<string, TwinMemory>> {
    const cached = this.#cache.get(user);
    if (cached) return cached;
    const options = { check: checkMemories, onSetAside: this.#onSetAside };
    const found = await readOrSetAside(this.#path(user), options);
    const memories = new Map(Object.entries(found ?? {}));
    this.#cache.set(user, memories);
    return memories;
  }

  async #save(user: string, memories: Map<string, TwinMemory>): Promise<void> {
    try {
      if (memories.size === 0) await rm(this.#path(user), { force: true });
      else await writeJsonAtomic(this.#path(user), Object.fromEntries(memories));
    } catch (error) {
      this.#cache.delete(user); // what is on disk counts
      throw error;
    }
  }

  #path(user: string): string {
    return join(this.#data.memory, `${user}.json`);
  }
}
