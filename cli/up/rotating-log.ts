import { closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";

export const maxLogBytes = 10 * 1024 * 1024; // with the older ones 40 MB per process at most
const olderFiles = 3;

/**
 * A log file that never outgrows `maxLogBytes`: then it becomes `<path>.1`, the former `.1` becomes `.2`, the oldest goes. Written
 * at once, so that the last words of a process that dies are there. A disk that is full loses lines, never the platform.
 */
export class RotatingLog {
  readonly #path: string;
  readonly #maxBytes: number;
  #file: number;
  #bytes: number;

  constructor(path: string, maxBytes = maxLogBytes) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#file = openSync(path, "a", 0o600);
    this.#bytes = statSync(path).size;
  }

  write(line: string): void {
    const bytes = Buffer.byteLength(line) + 1;
    try {
      if (this.#bytes > 0 && this.#bytes + bytes > this.#maxBytes) this.#rotate();
      writeSync(this.#file, `${line}\n`);
      this.#bytes += bytes;
    } catch {
      // nothing can be done about it here, and the line may be about exactly this
    }
  }

  close(): void {
    closeSync(this.#file);
  }

  #rotate(): void {
    for (let age = olderFiles - 1; age >= 0; age -= 1) {
      const from = age === 0 ? this.#path : `${this.#path}.${age}`;
      try {
        renameSync(from, `${this.#path}.${age + 1}`);
      } catch {
        // there are not that many yet
      }
    }
    closeSync(this.#file);
    this.#file = openSync(this.#path, "a", 0o600);
    this.#bytes = 0;
  }
}
