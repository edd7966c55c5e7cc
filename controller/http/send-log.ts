import type { Request, Response } from "express";
import { ActionNeededError } from "#core/errors";
import type { LogLine, RunOutcome } from "#schemas/run";
import { followLog } from "../reading/follow-log.ts";
import { eventWriter, type OpenStream, type Streams } from "./event-stream.ts";
import { badRequest, oneQuery } from "./read-request.ts";

const kinds = ["text/plain", "application/x-ndjson", "text/event-stream"] as const;

type SendLine = (line: LogLine, offset: number) => Promise<void>;

/** Whose log it is. */
export interface LoggedRun {
  folder: string;
  /** How it is now; `undefined` where it is not there any more. */
  look(): Promise<
    | {
        hasEnded: boolean;
        outcome: RunOutcome["outcome"] | null;
        exitCode: number | null;
        reason: string | null;
      }
    | undefined
  >;
}

/**
 * Answers with the log of a run: as text, as NDJSON, or as Server-Sent Events, which always follow. The id of an event is the byte
 * offset behind its line, so a reader that comes back with `Last-Event-ID` misses and repeats nothing. After the
 * outcome comes one event `end`.
 */
export async function sendLog(
  request: Request,
  response: Response,
  { run, streams }: { run: LoggedRun; streams: Streams },
): Promise<void> {
  const kind = request.accepts([...kinds]);
  if (!kind) throw new ActionNeededError("NOT_ACCEPTABLE", `a log comes as ${kinds.join(", ")}`);
  const isEvents = kind === "text/event-stream";
  const follow = isEvents || isYes(oneQuery(request, "follow"));
  const after = offsetOf(request);
  const stream = streams.open(response, `${kind}; charset=utf-8`);
  const write = isEvents ? eventWriter(stream) : undefined;
  const send: SendLine = write
    ? (line, offset) => write({ id: String(offset), data: line })
    : lineSender(stream, kind === "text/plain");
  const pieces = followLog(run.folder, {
    ...{ after, follow, signal: stream.signal },
    isEnded: async () => (await run.look())?.hasEnded ?? true,
  });
  for await (const { line, offset } of pieces) await send(line, offset);
  if (write && !stream.signal.aborted) {
    const { outcome = null, exitCode = null, reason = null } = (await run.look()) ?? {};
    await write({ event: "end", data: { outcome, exitCode, reason } });
  }
  stream.close();
}

function lineSender(stream: OpenStream, isText: boolean): SendLine {
  const format = isText ? (line: LogLine) => line.text : (line: LogLine) => JSON.stringify(line);
  return async (line) => await stream.write(`${format(line)}\n`);
}

function isYes(value: string | undefined): boolean {
  if (value === undefined || value === "false" || value === "0") return false;
  if (value === "" || value === "true" || value === "1") return true;
  throw badRequest("follow must be true or false");
}

/** Where to go on: the header that event-stream clients send, or `after`. */
function offsetOf(request: Request): number {
  const text = request.get("Last-Event-ID") || oneQuery(request, "after") || "0";
  if (!/^\d{1,15}$/.test(text)) throw badRequest("after must be the id of an earlier line");
  return Number(text);
}
