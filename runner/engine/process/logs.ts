import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { isSystemError } from "#core/errors";
import type { LogLine } from "#schemas/run";
import type { Containers } from "../engine.ts";
import { phaseOf } from "./events.ts";
import type { RunFiles } from "./run-files.ts";

const chunkBytes = 256 * 1024;
const pollsMs = [20, 50, 100, 200]; // while nothing new comes; then the last one again

/** The lines that a supervisor has written down. */
export function processLogs(files: RunFiles): Containers["logs"] {
  return async function* logs(id, { since, follow, signal }) {
    if (!(await files.run(id))) return;
    let quiet = 0;
    const reader = new LineReader(files.log(id));
    try {
      while (!signal.aborted) {
        // Asked before reading: what was printed before the end is read after it.
        const state = await files.stateOf(id);
        const goesOn = state !== undefined && phaseOf(state) === "running";
        for await (const line of reader.news()) {
          quiet = 0;
          if (since === undefined || line.at > since) yield line;
          if (signal.aborted) return;
        }
        if (!follow || !goesOn) return;
        const pauseMs = pollsMs[Math.min(quiet, pollsMs.length - 1)];
        quiet += 1;
        await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
      }
    } finally {
      await reader.close();
    }
  };
}

class LineReader {
  readonly #path: string;
  #file: FileHandle | undefined;
  #offset = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Whole lines that came since the last call. */
  async *news(): AsyncGenerator<LogLine> {
    this.#file ??= await openIfThere(this.#path);
    if (this.#file === undefined) return;
    for (;;) {
      const chunk = Buffer.alloc(chunkBytes);
      const { bytesRead } = await this.#file.read(chunk, 0, chunkBytes, this.#offset);
      const end = chunk.subarray(0, bytesRead).lastIndexOf(0x0a) + 1;
      if (end === 0) return;
      this.#offset += end;
      for (const line of chunk.toString("utf8", 0, end).split("\n")) {
        if (line !== "") yield JSON.parse(line) as LogLine;
      }
    }
  }

  async close(): Promise<void> {
    await this.#file?.close();
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r");
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return undefined;
    throw error;
  }
}
