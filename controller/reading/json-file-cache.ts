import { type FileHandle, open } from "node:fs/promises";
import { isSystemError } from "#core/errors";

const maxEntries = 20_000; // documents are small; beyond this the oldest are read again

/** Told about a file that is there and cannot be understood, once for each version of it. */
export type OnUnreadable = (path: string, error: unknown) => void;

/**
 * Reads JSON documents that are only ever replaced whole, and parses each version once. A file that is not there is
 * `undefined`; so is one that `check` refuses, so that one broken document does not hide all others.
 */
export class JsonFileCache<T> {
  readonly #check: (value: unknown, path: string) => T;
  readonly #onUnreadable: OnUnreadable;
  readonly #entries = new Map<string, { version: string; value: T | undefined }>();

  constructor(check: (value: unknown, path: string) => T, onUnreadable: OnUnreadable) {
    this.#check = check;
    this.#onUnreadable = onUnreadable;
  }

  async read(path: string): Promise<T | undefined> {
    let file: FileHandle;
    try {
      file = await open(path, "r");
    } catch (error) {
      if (isSystemError(error, "ENOENT") || isSystemError(error, "ENOTDIR")) {
        this.#entries.delete(path);
        return undefined;
      }
      throw error;
    }
    try {
      const { ino, size, mtimeNs } = await file.stat({ bigint: true });
      const version = `${ino}:${size}:${mtimeNs}`;
      const known = this.#entries.get(path);
      if (known?.version === version) return known.value;
      const value = this.#parse(await file.readFile("utf8"), path);
      this.#entries.delete(path);
      this.#entries.set(path, { version, value });
      if (this.#entries.size > maxEntries) {
        const [oldest] = this.#entries.keys();
        if (oldest !== undefined) this.#entries.delete(oldest);
      }
      return value;
    } finally {
      await file.close();
    }
  }

  #parse(text: string, path: string): T | undefined {
    try {
      return this.#check(JSON.parse(text), path);
    } catch (error) {
      this.#onUnreadable(path, error);
      return undefined;
    }
  }
}
