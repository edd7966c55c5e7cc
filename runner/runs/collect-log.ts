import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, stat } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { messageOf } from "#core/errors";
import type { Logger } from "#core/logger";
import type { LogLine } from "#schemas/run";
import type { Containers } from "../engine/engine.ts";

// A run's log on disk stops here; what follows is counted as lost and said so.
const maxLogBytes = 20 * 1024 * 1024;
// How long the end of a run waits for the last lines.
const drainMs = 20_000;

/** What takes the secrets of a run out of a text. */
type RedactorOf = (runId: string, folder: string) => Promise<(text: string) => string>;

interface Following {
  done: Promise<void>;
  stop: AbortController;
}

/** Copies the logs of running containers to `log.ndjson` in their run's folder, line by line, while they run. */
export class LogCollector {
  readonly #containers: Containers;
  readonly #logger: Logger;
  readonly #redactorOf: RedactorOf;
  readonly #following = new Map<string, Following>();
  readonly #truncated = new Set<string>();

  constructor(containers: Containers, logger: Logger, redactorOf: RedactorOf) {
    this.#containers = containers;
    this.#logger = logger;
    this.#redactorOf = redactorOf;
  }

  /** Starts to follow, going on after the last line that is on disk already. */
  follow(runId: string, containerId: string, folder: string): void {
    if (this.#following.has(runId)) return;
    const stop = new AbortController();
    const done = this.#copy(runId, containerId, folder, true, stop.signal).catch((error: unknown) => {
      if (!stop.signal.aborted)
        this.#logger.warn({ run: runId, err: messageOf(error) }, "the log could not be followed");
    });
    this.#following.set(runId, { done, stop });
  }

  /** Call when the container has ended: resolves when every line is on disk. */
  async complete(runId: string, containerId: string, folder: string): Promise<{ truncated: boolean }> {
    const following = this.#following.get(runId);
    if (following) {
      const timer = setTimeout(() => following.stop.abort(), drainMs);
      await following.done;
      clearTimeout(timer);
      this.#following.delete(runId);
    }
    await this.#copy(runId, containerId, folder, false, AbortSignal.timeout(drainMs));
    const truncated = this.#truncated.delete(runId);
    return { truncated };
  }

  /** Nobody wants the rest of it; its container may be gone already. */
  async drop(runId: string): Promise<void> {
    const following = this.#following.get(runId);
    following?.stop.abort();
    await following?.done;
    this.#following.delete(runId);
    this.#truncated.delete(runId);
  }

  async close(): Promise<void> {
    for (const { stop } of this.#following.values()) stop.abort();
    await Promise.all([...this.#following.values()].map(({ done }) => done));
    this.#following.clear();
  }

  async #copy(
    runId: string,
    containerId: string,
    folder: string,
    follow: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    await mkdir(folder, { recursive: true });
    const redact = await this.#redactorOf(runId, folder);
    const path = join(folder, "log.ndjson");
    const since = await lastLineTime(path);
    const file = await open(path, "a");
    try {
      let bytes = (await file.stat()).size;
      for await (const line of this.#containers.logs(containerId, {
        ...(since ? { since } : {}),
        follow,
        signal,
      })) {
        if (bytes > maxLogBytes) {
          if (!this.#truncated.has(runId)) bytes += await write(file, tooLong(line.at));
          this.#truncated.add(runId);
          if (!follow) return;
          continue; // keep reading, so that the engine's buffers drain
        }
        bytes += await write(file, { ...line, text: redact(line.text) });
      }
    } finally {
      await file.close();
    }
  }
}

async function write(file: FileHandle, line: LogLine): Promise<number> {
  const text = `${JSON.stringify(line)}\n`;
  await file.appendFile(text);
  return Buffer.byteLength(text);
}

function tooLong(at: string): LogLine {
  return {
    at,
    stream: "platform",
    text: `the log is longer than ${maxLogBytes / 1024 / 1024} MiB; the rest is not kept`,
  };
}

/** When the newest complete line on disk was written by the container. */
async function lastLineTime(path: string): Promise<string | undefined> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size === 0) return undefined;
  const tailBytes = 64 * 1024;
  let last: string | undefined;
  const lines = createInterface({ input: createReadStream(path, { start: Math.max(0, size - tailBytes) }) });
  for await (const line of lines) {
    try {
      last = (JSON.parse(line) as LogLine).at ?? last;
    } catch {
      // the first line of the tail may be cut
    }
  }
  return last;
}
