import { type FileHandle, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";

const maxBytes = 4 * 1024 * 1024; // as in GitLab: what follows is not kept

/** A job's log, append-only, as it is read: masked, and bounded. Writes are one after another. */
export class TraceFile {
  readonly #file: FileHandle;
  readonly #redact: (text: string) => string;
  #bytes: number;
  #isFull: boolean;
  #tail: Promise<void> = Promise.resolve();

  private constructor(file: FileHandle, bytes: number, redact: (text: string) => string) {
    this.#file = file;
    this.#bytes = bytes;
    this.#isFull = bytes > maxBytes;
    this.#redact = redact;
  }

  static async open(path: string, redact: (text: string) => string): Promise<TraceFile> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(path, "a", 0o600);
    return new TraceFile(file, (await file.stat()).size, redact);
  }

  line(text: string): Promise<void> {
    this.#tail = this.#tail.then(() => this.#write(`${this.#redact(text)}\n`));
    return this.#tail;
  }

  async close(): Promise<void> {
    await this.#tail.catch(() => undefined);
    await this.#file.close();
  }

  async #write(text: string): Promise<void> {
    if (this.#isFull) return;
    this.#bytes += Buffer.byteLength(text);
    this.#isFull = this.#bytes > maxBytes;
    await this.#file.appendFile(
      this.#isFull
        ? `\nJob's log exceeded limit of ${maxBytes} bytes.\nJob execution will continue but no more output will be collected.\n`
        : text,
    );
  }
}
