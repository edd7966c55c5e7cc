import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic, writeJsonAtomic } from "#core/atomic-file";
import { ActionNeededError } from "#core/errors";
import { SerialByKey } from "#core/serial-by-key";

const readsAtOnce = 64; // files opened together while a collection is loaded
const recordMode = 0o600; // records hold password hashes and webhook secrets

/** Finds records by a derived key without a scan. */
export interface Index<T> {
  all(key: string): readonly T[];
  first(key: string): T | undefined;
}

/**
 * Records of one kind, held in memory and on disk as one JSON file each, replaced atomically. A change is visible
 * at once and durable when its promise resolves. Identifiers count up from 1 and are never given twice.
 */
export class Collection<T extends { readonly id: number }> {
  readonly #folder: string;
  readonly #records: Map<number, T>;
  readonly #indexes: { keyOf: (record: T) => string; records: Map<string, Set<number>> }[] = [];
  readonly #writes = new SerialByKey();
  #nextId: number;

  private constructor(folder: string, records: Map<number, T>, nextId: number) {
    this.#folder = folder;
    this.#records = records;
    this.#nextId = nextId;
  }

  /** Throws `ActionNeededError("FORGE_STATE_UNREADABLE")` for a file that is no JSON. */
  static async open<T extends { readonly id: number }>(folder: string): Promise<Collection<T>> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const names = await readdir(folder);
    for (const name of names.filter((each) => each.endsWith(".tmp"))) await rm(join(folder, name));
    const ids = names.flatMap((name) => /^(\d+)\.json$/.exec(name)?.[1] ?? []).map(Number);
    ids.sort((a, b) => a - b);
    const records = new Map<number, T>();
    for (let start = 0; start < ids.length; start += readsAtOnce) {
      const some = ids.slice(start, start + readsAtOnce);
      const read = await Promise.all(some.map((id) => readRecord<T>(join(folder, `${id}.json`))));
      for (const record of read) records.set(record.id, record);
    }
    const kept = names.includes("next-id") ? Number(await readFile(join(folder, "next-id"), "utf8")) : 1;
    return new Collection(folder, records, Math.max(kept, (ids.at(-1) ?? 0) + 1));
  }

  /** Every record, oldest first. */
  all(): T[] {
    return [...this.#records.values()];
  }

  get(id: number): T | undefined {
    return this.#records.get(id);
  }

  async insert(make: (id: number) => T): Promise<T> {
    const id = this.#nextId++;
    const record = make(id);
    this.#set(id, record);
    try {
      await this.#write(id);
    } catch (error) {
      this.#set(id, undefined);
      throw error;
    }
    return record;
  }

  /** As `insert`, with an identifier that was given out elsewhere and is unique there. */
  async insertAs(record: T): Promise<T> {
    this.#nextId = Math.max(this.#nextId, record.id + 1);
    this.#set(record.id, record);
    try {
      await this.#write(record.id);
    } catch (error) {
      this.#set(record.id, undefined);
      throw error;
    }
    return record;
  }

  /** Throws when there is no such record: callers look it up first, without a wait in between. */
  async update(id: number, change: Partial<Omit<T, "id">>): Promise<T> {
    const record = this.#records.get(id);
    if (!record) throw new Error(`there is no record ${id} in ${this.#folder}`);
    const changed = { ...record, ...change };
    this.#set(id, changed);
    await this.#write(id);
    return changed;
  }

  async remove(id: number): Promise<void> {
    if (!this.#records.has(id)) return;
    this.#set(id, undefined);
    await this.#write(id);
  }

  indexBy(keyOf: (record: T) => string): Index<T> {
    const records = new Map<string, Set<number>>();
    this.#indexes.push({ keyOf, records });
    for (const record of this.#records.values()) addTo(records, keyOf(record), record.id);
    const all = (key: string) => [...(records.get(key) ?? [])].flatMap((id) => this.#records.get(id) ?? []);
    return { all, first: (key) => all(key)[0] };
  }

  #set(id: number, record: T | undefined): void {
    const before = this.#records.get(id);
    for (const { keyOf, records } of this.#indexes) {
      const oldKey = before && keyOf(before);
      const newKey = record && keyOf(record);
      if (oldKey === newKey) continue;
      if (oldKey !== undefined) removeFrom(records, oldKey, id);
      if (newKey !== undefined) addTo(records, newKey, id);
    }
    if (record) this.#records.set(id, record);
    else this.#records.delete(id);
  }

  /** Brings the file to what memory holds by then; writes to one record queue up. */
  #write(id: number): Promise<void> {
    return this.#writes.run(String(id), async () => {
      const record = this.#records.get(id);
      const path = join(this.#folder, `${id}.json`);
      if (record) return await writeJsonAtomic(path, record, recordMode);
      // The newest identifier must stay used after a restart, too.
      if (id === this.#nextId - 1) await writeFileAtomic(join(this.#folder, "next-id"), `${this.#nextId}\n`);
      await rm(path, { force: true });
    });
  }
}

async function readRecord<T>(path: string): Promise<T> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as T;
  } catch (error) {
    throw new ActionNeededError("FORGE_STATE_UNREADABLE", `${path} cannot be read as JSON`, {
      where: { file: path },
      hint: "put the file back from a backup, or remove it to lose that one record",
      cause: error,
    });
  }
}

function addTo(records: Map<string, Set<number>>, key: string, id: number): void {
  const ids = records.get(key);
  if (ids) ids.add(id);
  else records.set(key, new Set([id]));
}

function removeFrom(records: Map<string, Set<number>>, key: string, id: number): void {
  const ids = records.get(key);
  ids?.delete(id);
  if (ids?.size === 0) records.delete(key);
}
