import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type DataFolder, projectFolder } from "#core/data-folder";
import { halfPath } from "./half-path.ts";

const quietMs = 1_000; // whoever pushes again at once needs the disk more

const maxWaiting = 32; // beyond this too much happens for anything to be made ahead

const spareFolder = ".spare"; // beside the folders of projects, like that of half made ones

export interface SpareToMake {
  commit: string;
  /** Links that snapshot into a new folder, slowly; ends early when told to. */
  make: (folder: string, signal: AbortSignal) => Promise<void>;
}

/**
 * A folder like the newest snapshot of a large repository, linked ahead while nobody waits, and out of sight as what is half made is: the next
 * snapshot takes it and replaces what has changed, instead of linking thousands of files. One at a time is made; one that is
 * not there is not missed.
 */
export class Spares {
  readonly #waiting = new Map<string, SpareToMake & { dueMs: number }>(); // by project, soonest first
  readonly #data: DataFolder;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #making: { project: string; stop: AbortController } | undefined;

  private constructor(data: DataFolder) {
    this.#data = data;
  }

  /** Removes what a process before has left: it may not be whole after a power cut. */
  static async open(data: DataFolder): Promise<Spares> {
    await rm(join(data.snapshots, spareFolder), { recursive: true, force: true });
    return new Spares(data);
  }

  /** A snapshot of this project was made: one like it is wanted. */
  soon(project: string, spare: SpareToMake): void {
    if (this.#stopping.signal.aborted) return;
    this.#waiting.delete(project); // the newest comes last
    this.#waiting.set(project, { ...spare, dueMs: performance.now() + quietMs });
    const [oldest] = this.#waiting.keys();
    if (this.#waiting.size > maxWaiting && oldest !== undefined) this.#waiting.delete(oldest);
    this.#running ??= this.#run();
  }

  /** Brings the spare of a project to this place and resolves with its commit; nobody else gets it. */
  async take(project: string, to: string): Promise<string | undefined> {
    this.#waiting.delete(project);
    if (this.#making?.project === project) this.#making.stop.abort();
    const folder = this.#folder(project);
    for (const commit of await namesIn(folder)) {
      const isOurs = await rename(join(folder, commit), to).then(
        () => true,
        () => false,
      );
      if (isOurs) return commit;
    }
    return undefined;
  }

  /** Removes what is like none of these snapshots of a project. */
  async sweep(project: string, commits: ReadonlySet<string>): Promise<void> {
    for (const commit of await namesIn(this.#folder(project))) {
      if (commits.has(commit)) continue;
      const gone = halfPath(this.#data, commit); // first of all nobody may take half of it
      await rename(join(this.#folder(project), commit), gone).catch(() => undefined);
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

  async #makeOne(project: string, { commit, make }: SpareToMake): Promise<void> {
    this.#waiting.delete(project);
    const stop = new AbortController();
    this.#making = { project, stop };
    const building = halfPath(this.#data, commit);
    try {
      await this.sweep(project, new Set());
      await make(building, stop.signal);
      await mkdir(this.#folder(project), { recursive: true, mode: 0o700 });
      stop.signal.throwIfAborted();
      await rename(building, join(this.#folder(project), commit));
    } catch {
      await rm(building, { recursive: true, force: true }).catch(() => undefined); // the next snapshot is linked
    } finally {
      this.#making = undefined;
    }
  }

  #folder(project: string): string {
    return join(this.#data.snapshots, spareFolder, projectFolder(project));
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => []);
}
