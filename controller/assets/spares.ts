import { randomBytes } from "node:crypto";
import { readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const prefix = ".spare-"; // and the commit; names of commits do not begin with a dot
const quietMs = 1_000; // whoever pushes again at once needs the disk more

const maxWaiting = 32; // beyond this too much happens for anything to be made ahead

export interface Spare {
  /** The revision that the folder holds. */
  commit: string;
  folder: string;
}

export interface SpareToMake {
  commit: string;
  /** Links that snapshot into a new folder, slowly; ends early when told to. */
  make: (folder: string, signal: AbortSignal) => Promise<void>;
}

/**
 * A folder beside the newest snapshot of a large repository that holds the same files, linked ahead while nobody waits: the next
 * snapshot takes it and replaces what has changed, instead of linking thousands of files. One at a time is made; one that is
 * not there is not missed.
 */
export class Spares {
  readonly #waiting = new Map<string, SpareToMake & { dueMs: number }>(); // by folder of the project, soonest first
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #making: { parent: string; stop: AbortController } | undefined;

  /** A snapshot was made in this folder of a project: one like it is wanted. */
  soon(parent: string, spare: SpareToMake): void {
    if (this.#stopping.signal.aborted) return;
    this.#waiting.delete(parent); // the newest comes last
    this.#waiting.set(parent, { ...spare, dueMs: performance.now() + quietMs });
    const [oldest] = this.#waiting.keys();
    if (this.#waiting.size > maxWaiting && oldest !== undefined) this.#waiting.delete(oldest);
    this.#running ??= this.#run();
  }

  /** The spare of a project, now under the name `as`; nobody else gets it. */
  async take(parent: string, as: string): Promise<Spare | undefined> {
    this.#waiting.delete(parent);
    if (this.#making?.parent === parent) this.#making.stop.abort();
    for (const name of await spareNames(parent)) {
      const folder = join(parent, as);
      const isOurs = await rename(join(parent, name), folder).then(
        () => true,
        () => false,
      );
      if (isOurs) return { commit: name.slice(prefix.length), folder };
    }
    return undefined;
  }

  /** Removes what is like none of these snapshots of a project. */
  async sweep(parent: string, commits: ReadonlySet<string>): Promise<void> {
    for (const name of await spareNames(parent)) {
      if (commits.has(name.slice(prefix.length))) continue;
      const gone = join(parent, `.gone-spare-${unique()}`); // first of all nobody may take half of it
      await rename(join(parent, name), gone).catch(() => undefined);
      await rm(gone, { recursive: true, force: true });
    }
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    this.#making?.stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    for (;;) {
      const [first] = this.#waiting;
      if (first === undefined || signal.aborted) break;
      const waitMs = first[1].dueMs - performance.now();
      if (waitMs > 0) await sleep(waitMs, undefined, { signal, ref: false }).catch(() => undefined);
      else await this.#makeOne(...first);
    }
    this.#running = undefined; // in the same turn as the last look at what waits
  }

  async #makeOne(parent: string, { commit, make }: SpareToMake): Promise<void> {
    this.#waiting.delete(parent);
    const stop = new AbortController();
    this.#making = { parent, stop };
    const building = join(parent, `.new-spare-${unique()}`);
    try {
      await this.sweep(parent, new Set());
      await make(building, stop.signal);
      stop.signal.throwIfAborted();
      await rename(building, join(parent, `${prefix}${commit}`));
    } catch {
      await rm(building, { recursive: true, force: true }).catch(() => undefined); // the next snapshot is linked
    } finally {
      this.#making = undefined;
    }
  }
}

export function isSpare(name: string): boolean {
  return name.startsWith(prefix);
}

function unique(): string {
  return randomBytes(4).toString("hex");
}

async function spareNames(parent: string): Promise<string[]> {
  return (await readdir(parent).catch(() => [])).filter(isSpare);
}
