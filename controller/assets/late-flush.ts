import { mkdir, open, readFile, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { readTextIfThere, writeFileAtomic } from "#core/atomic-file";
import { syncFileSystem } from "./sync-file-system.ts";

const delayMs = 1_000; // everything that is made in this time shares one flush
const bootIdPath = "/proc/sys/kernel/random/boot_id"; // another one: the machine was started again since

/**
 * Flushes folders to disk some time after they were made, many with one flush, so that nobody waits for the disk. What
 * was flushed gets a mark. While the machine runs, what was written is safe whether flushed or not; after it was started
 * anew only what has a mark is. For things that can be made again.
 */
export class LateFlush {
  readonly #folder: string;
  readonly #marks: string;
  readonly #bootId: string;
  readonly #isSameBoot: boolean;
  readonly #waiting = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  private constructor(folder: string, bootId: string, isSameBoot: boolean) {
    this.#folder = folder;
    this.#marks = join(folder, ".flushed");
    this.#bootId = bootId;
    this.#isSameBoot = isSameBoot;
  }

  /** For folders two levels below this one. Ask `isSafe` for each of them, then `begin`. */
  static async open(folder: string): Promise<LateFlush> {
    // Where the kernel does not say, every start counts as one of the machine.
    const bootId = (await readFile(bootIdPath, "utf8").catch(() => "")).trim();
    const before = (await readTextIfThere(join(folder, ".boot")))?.trim();
    const isSameBoot = before === undefined || (bootId !== "" && before === bootId);
    return new LateFlush(folder, bootId, isSameBoot);
  }

  /** Whether what was written to this folder before is certainly there. */
  async isSafe(path: string): Promise<boolean> {
    return this.#isSameBoot || (await stat(this.#mark(path)).catch(() => undefined)) !== undefined;
  }

  /** What is not safe has been removed: from now on everything that is there counts. */
  async begin(): Promise<void> {
    await mkdir(this.#marks, { recursive: true, mode: 0o700 });
    await writeFileAtomic(join(this.#folder, ".boot"), `${this.#bootId}\n`);
  }

  soon(path: string): void {
    this.#waiting.add(path);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#running = this.#running.then(() => this.#flush());
    }, delayMs).unref();
  }

  /** A folder was removed. */
  async forget(path: string): Promise<void> {
    this.#waiting.delete(path);
    await rm(this.#mark(path), { force: true });
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#running;
    await this.#flush();
  }

  async #flush(): Promise<void> {
    const paths = [...this.#waiting];
    if (paths.length === 0) return;
    this.#waiting.clear();
    try {
      await syncFileSystem(this.#folder);
      for (const path of paths) {
        await mkdir(dirname(this.#mark(path)), { recursive: true });
        await (await open(this.#mark(path), "a", 0o600)).close();
      }
    } catch {
      // Without a mark it is made again after the next start of the machine, which costs only time.
    }
  }

  #mark(path: string): string {
    return join(this.#marks, basename(dirname(path)), basename(path));
  }
}
