import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { readJson, writeJsonAtomic } from "#core/atomic-file";
import { SerialByKey } from "#core/serial-by-key";
import { recordOf } from "#schemas/plain-data";
import type { RemoteView } from "#schemas/remotes";

/** What is known of one remote's attempts. Times are ISO 8601. */
export interface RemoteRecord {
  /** Somebody asked for it; done when `finishedAt` is later. */
  requestedAt?: string;
  requestedBy?: string;
  startedAt?: string;
  finishedAt?: string;
  outcome?: Exclude<RemoteView["outcome"], "never" | "waiting" | "running">;
  message?: string;
  files?: string[];
  commit?: string | null;
  remoteCommit?: string | null;
}

/** One file for each user, replaced in one step: what was accepted survives a crash. */
export class RemoteJournal {
  readonly #folder: string;
  readonly #serial = new SerialByKey();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(folder: string): Promise<RemoteJournal> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return new RemoteJournal(folder);
  }

  /** By name; a file that cannot be read counts as none: what it held is found out by the next attempt. */
  async read(user: string): Promise<Record<string, RemoteRecord>> {
    const stored = await readJson(this.#path(user)).catch(() => undefined);
    return (recordOf(recordOf(stored)?.["remotes"]) ?? {}) as Record<string, RemoteRecord>;
  }

  /** Changes one remote's record; resolves when it is on disk. `keep`: names that still exist; the others go. */
  update(user: string, name: string, more: RemoteRecord, keep: readonly string[]): Promise<void> {
    return this.#serial.run(user, async () => {
      const all = Object.entries(await this.read(user)).filter(([known]) => keep.includes(known));
      const remotes = Object.fromEntries(all);
      remotes[name] = { ...(Object.hasOwn(remotes, name) ? remotes[name] : {}), ...more };
      await writeJsonAtomic(this.#path(user), { version: 1, remotes }, 0o600);
    });
  }

  #path(user: string): string {
    return join(this.#folder, `${user}.json`);
  }
}
