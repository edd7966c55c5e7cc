import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { LogLine } from "#schemas/run";

const maxLogBytes = 5 * 1024 * 1024; // what comes later is not kept; the end is in the message of a failure

/** The log of one build: a line of JSON each, in a file of its own that a new build of the same image replaces. */
export class BuildLog {
  readonly #file: NodeJS.WritableStream;
  #bytes = 0;
  #lastNano = 0n;

  private constructor(file: NodeJS.WritableStream) {
    this.#file = file;
  }

  static async create(path: string): Promise<BuildLog> {
    await mkdir(dirname(path), { recursive: true });
    const file = createWriteStream(path, { flags: "w", mode: 0o644 });
    await new Promise<void>((resolve, reject) => {
      file.once("open", () => resolve());
      file.once("error", reject);
    });
    file.on("error", () => {}); // a full disk must not end the build; the engine tells of it
    return new BuildLog(file);
  }

  write(text: string, stream: LogLine["stream"] = "out"): void {
    if (this.#bytes > maxLogBytes) return;
    const line: LogLine = { at: this.#now(), stream, text };
    this.#put(line);
    if (this.#bytes > maxLogBytes)
      this.#put({ at: this.#now(), stream: "platform", text: "the log was cut here" });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#file.on("close", resolve);
      this.#file.end();
    });
  }

  #put(line: LogLine): void {
    const text = `${JSON.stringify(line)}\n`;
    this.#bytes += Buffer.byteLength(text);
    this.#file.write(text);
  }

  #now(): string {
    const wall = BigInt(Date.now()) * 1_000_000n;
    this.#lastNano = wall > this.#lastNano ? wall : this.#lastNano + 1n;
    const iso = new Date(Number(this.#lastNano / 1_000_000n)).toISOString();
    return `${iso.slice(0, 23)}${String(this.#lastNano % 1_000_000n).padStart(6, "0")}Z`;
  }
}
