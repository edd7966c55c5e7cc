import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { isSystemError } from "#core/errors";
import type { LogLine } from "#schemas/run";
import { type Change, waitForChange } from "./wait-for-change.ts";

const chunkBytes = 64 * 1024;
const maxLineBytes = 1024 * 1024; // the runner writes shorter ones; a longer line is passed over
const lookEveryMs = 1_000; // where file system events do not come

/** A line of the log, and the byte offset just behind it: pass it as `after` to go on from here. */
export interface LogPiece {
  line: LogLine;
  offset: number;
}

/**
 * The lines of a run's log file from `after` (a byte offset that an earlier call gave; anything else starts at the
 * next whole line). With `follow` it goes on until `isEnded` says that nothing more will come, or the signal aborts.
 * Holds one chunk in memory, however long the log is and however slowly it is read.
 */
export async function* followLog(
  runFolder: string,
  options: { after: number; follow: boolean; isEnded: () => Promise<boolean>; signal: AbortSignal },
): AsyncGenerator<LogPiece> {
  const path = join(runFolder, "log.ndjson");
  let offset = Math.max(0, options.after);
  let file: FileHandle | undefined;
  let change: Change | undefined;
  try {
    while (!options.signal.aborted) {
      change = options.follow
        ? waitForChange(runFolder, { atMostMs: lookEveryMs, signal: options.signal })
        : undefined;
      const ended = !options.follow || (await options.isEnded()); // asked first: what comes later is read below
      file ??= await openIfThere(path);
      if (file) {
        for await (const piece of readLines(file, offset, options.signal)) {
          offset = piece.offset;
          if (piece.line) yield { line: piece.line, offset };
        }
      }
      if (ended) return;
      await change?.happened;
    }
  } finally {
    change?.forget();
    await file?.close();
  }
}

/** Whole lines between `start` and the end of the file. `line` is absent for one that is no log line. */
async function* readLines(
  file: FileHandle,
  start: number,
  signal: AbortSignal,
): AsyncGenerator<{ line: LogLine | undefined; offset: number }> {
  let position = start === 0 ? 0 : start - 1; // to see whether a line ends just before
  let isSkipping = start !== 0;
  let rest: Buffer = Buffer.alloc(0);
  while (!signal.aborted) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(chunkBytes), 0, chunkBytes, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    let chunk: Buffer = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10)) {
      const text = chunk.subarray(0, end);
      chunk = chunk.subarray(end + 1);
      if (!isSkipping) yield { line: parseLine(text.toString("utf8")), offset: position - chunk.length };
      isSkipping = false;
    }
    if (chunk.length > maxLineBytes) {
      isSkipping = true;
      chunk = Buffer.alloc(0);
    }
    rest = chunk;
  }
}

function parseLine(text: string): LogLine | undefined {
  try {
    const value = JSON.parse(text) as Partial<LogLine> | null;
    if (typeof value?.text !== "string" || typeof value.at !== "string") return undefined;
    return { at: value.at, stream: value.stream ?? "out", text: value.text };
  } catch {
    return undefined;
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
