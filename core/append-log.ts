import { type FileHandle, mkdir, open, readdir, readFile, rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { syncFolder } from "./atomic-file.ts";

const newline = 0x0a;
const maxSegmentBytes = 8 * 1024 * 1024; // a new file after this much, so that old ones can be dropped whole

export interface AppendLogEntry {
  at: string; // ISO 8601, when it was appended
  value: unknown;
}

/**
 * A journal on disk: one JSON line per entry, in numbered segment files. `append` resolves once the entry would
 * survive a power cut; entries that arrive while the disk is busy share one flush (group commit).
 * A half-written last line, left by a crash, was never acknowledged and is cut off at the next open.
 */
export class AppendLog {
  readonly #folder: string;
  #file: FileHandle;
  #segment: number;
  #bytes: number;
  #waiting: { line: string; done: () => void; failed: (error: unknown) => void }[] = [];
  #flushing: Promise<void> | undefined;
  #closed = false;

  private constructor(folder: string, file: FileHandle, segment: number, bytes: number) {
    this.#folder = folder;
    this.#file = file;
    this.#segment = segment;
    this.#bytes = bytes;
  }

  /**
   * Opens the log and hands every entry it holds to `replay`, oldest first. Segments older than `keepMs` go. Lines that cannot be read,
   * or that `replay` throws at, stay in their file, are told by number, and do not keep the others from being replayed.
   */
  static async open(
    folder: string,
    options: {
      replay: (entry: AppendLogEntry) => void;
      keepMs: number;
      onUnreadable: (path: string, lines: number[]) => void;
    },
  ): Promise<AppendLog> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const segments = (await readdir(folder))
      .flatMap((name) => /^(\d{8})\.ndjson$/.exec(name)?.[1] ?? [])
      .sort();
    const oldest = Date.now() - options.keepMs;
    let bytes = 0;
    for (const [index, number] of segments.entries()) {
      const path = join(folder, `${number}.ndjson`);
      const content = await readFile(path);
      const whole = content.lastIndexOf(newline) + 1; // in bytes: what is torn need not be text
      const isLast = index === segments.length - 1;
      if (isLast && whole < content.length) await truncate(path, whole);
      bytes = isLast ? whole : 0;
      const lines = content.toString("utf8", 0, Math.max(0, whole - 1)).split("\n");
      const entries = lines.map(parseEntry);
      const newest = entries.findLast((entry) => entry !== undefined);
      if (!isLast && (newest === undefined || Date.parse(newest.at) < oldest)) {
        await rm(path);
        continue;
      }
      const unreadable = entries.flatMap((entry, line) =>
        lines[line] === "" || (entry && isReplayed(options.replay, entry)) ? [] : [line + 1],
      );
      if (unreadable.length > 0) options.onUnreadable(path, unreadable);
    }
    const segment = Number(segments.at(-1) ?? 1);
    const file = await open(join(folder, segmentName(segment)), "a", 0o600);
    await syncFolder(folder);
    return new AppendLog(folder, file, segment, bytes);
  }

  append(value: unknown): Promise<void> {
    if (this.#closed) return Promise.reject(new Error("the log is closed"));
    const line = `${JSON.stringify({ at: new Date().toISOString(), value })}\n`;
    const written = new Promise<void>((done, failed) => this.#waiting.push({ line, done, failed }));
    this.#flushing ??= this.#flush();
    return written;
  }

  async close(): Promise<void> {
    this.#closed = true;
    while (this.#flushing) await this.#flushing;
    await this.#file.close();
  }

  async #flush(): Promise<void> {
    await Promise.resolve(); // let everybody of this turn join
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        const text = batch.map((entry) => entry.line).join("");
        await this.#file.appendFile(text);
        await this.#file.datasync();
        this.#bytes += Buffer.byteLength(text);
        for (const entry of batch) entry.done();
        if (this.#bytes > maxSegmentBytes) await this.#startSegment();
      } catch (error) {
        for (const entry of batch) entry.failed(error);
      }
    }
    this.#flushing = undefined;
  }

  async #startSegment(): Promise<void> {
    const next = await open(join(this.#folder, segmentName(this.#segment + 1)), "a", 0o600);
    await syncFolder(this.#folder);
    await this.#file.close();
    this.#file = next;
    this.#segment += 1;
    this.#bytes = 0;
  }
}

function segmentName(number: number): string {
  return `${String(number).padStart(8, "0")}.ndjson`;
}

/** `undefined` for a line torn by a failing disk or changed by hand; the rest of the log still counts. */
function parseEntry(line: string): AppendLogEntry | undefined {
  try {
    const entry = JSON.parse(line) as Partial<AppendLogEntry> | null;
    const isEntry = typeof entry?.at === "string" && Number.isFinite(Date.parse(entry.at));
    return isEntry ? (entry as AppendLogEntry) : undefined;
  } catch {
    return undefined;
  }
}

function isReplayed(replay: (entry: AppendLogEntry) => void, entry: AppendLogEntry): boolean {
  try {
    replay(entry);
    return true;
  } catch {
    return false;
  }
}
