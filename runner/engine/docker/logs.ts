import type Docker from "dockerode";
import type { LogLine } from "#schemas/run";
import type { Containers } from "../engine.ts";
import { askingUnless, toEngineError } from "./engine-error.ts";
import { fromNano, toEngineSince, toNano } from "./engine-time.ts";
import { type Frame, frames } from "./frames.ts";

const maxLineBytes = 16 * 1024; // a longer line comes in parts; the engine cuts at the same place
const partsWindowNano = 1_000_000n; // parts of one line are told apart by one nanosecond each: room for a million

/**
 * A container's lines. Each has a time of its own as far as the engine's clock tells; the parts of a line without an
 * end share one there, and are given one nanosecond more each, so that `since` can go on in the middle of them.
 * Nothing is read ahead of who takes the lines beyond one network buffer.
 */
export function dockerLogs(docker: Docker): Containers["logs"] {
  return async function* logs(id, { since, follow, signal }) {
    const after = since === undefined ? undefined : toNano(since);
    const query = {
      stdout: true,
      stderr: true,
      timestamps: true,
      follow,
      ...(after === undefined ? {} : { since: toEngineSince(after - partsWindowNano) }),
    };
    if (signal.aborted) return;
    const stream = await askingUnless([404], `reading the log of ${id}`, () =>
      open(docker, id, query, signal),
    );
    if (!stream) return;
    const stop = () => stream.destroy();
    signal.addEventListener("abort", stop, { once: true });
    try {
      const parts = { out: undefined, err: undefined } as Record<"out" | "err", Part | undefined>;
      for await (const frame of frames(stream)) {
        for (const line of toLines(frame, parts)) {
          if (after === undefined || toNano(line.at) > after) yield line;
        }
      }
    } catch (error) {
      if (!signal.aborted) throw toEngineError(error, `reading the log of ${id}`);
    } finally {
      signal.removeEventListener("abort", stop);
      stream.destroy();
    }
  };
}

/** The unfinished line of one stream: its time at the engine, and how many parts of it there were. */
interface Part {
  at: string;
  count: number;
}

function toLines(frame: Frame, parts: Record<"out" | "err", Part | undefined>): LogLine[] {
  const space = frame.payload.indexOf(0x20);
  const at = frame.payload.toString("latin1", 0, Math.max(space, 0));
  const finished = frame.payload.at(-1) === 0x0a;
  const body = frame.payload.subarray(space + 1, finished ? -1 : undefined);
  const open = parts[frame.stream];
  let count = open?.at === at ? open.count : 0;
  const start = toNano(at);
  const lines: LogLine[] = [];
  for (let offset = 0; offset < body.length || (offset === 0 && count === 0); offset += maxLineBytes) {
    const text = body.toString("utf8", offset, offset + maxLineBytes);
    lines.push({ at: fromNano(start + BigInt(count)), stream: frame.stream, text });
    count += 1;
  }
  parts[frame.stream] = finished ? undefined : { at, count };
  return lines;
}

type EngineStream = NodeJS.ReadableStream & { destroy(): void };

/** The client's own `logs` would collect everything in memory when it does not follow. */
function open(docker: Docker, id: string, query: object, signal: AbortSignal): Promise<EngineStream> {
  const path = `/containers/${encodeURIComponent(id)}/logs?`;
  const statusCodes = { 200: true, 404: "no such container", 500: "server error" };
  return new Promise((resolve, reject) => {
    docker.modem.dial(
      { path, method: "GET", isStream: true, statusCodes, options: query, abortSignal: signal },
      (error: unknown, stream: unknown) => (error ? reject(error) : resolve(stream as EngineStream)),
    );
  });
}
