import type { Request, Response } from "express";
import type { ForgeContext } from "../forge-context.ts";
import type { CiJob } from "../pipelines/ci-records.ts";
import { readFrom } from "./job-files.ts";

const maxPartBytes = 16 * 1024 * 1024; // more than a whole trace may have

/** A job's trace as far as it goes by now, and nothing where there is none. With `Range: bytes=<from>-` what has come since: 206, or 416 for nothing. */
export async function readTrace(
  context: ForgeContext,
  job: CiJob,
  request: Request,
  response: Response,
): Promise<void> {
  const [, start, end] = /^bytes=(\d{1,12})-(\d{1,12})?$/.exec(request.get("range") ?? "") ?? [];
  const offset = start === undefined ? 0 : Number(start);
  const { bytes, size } = await traceFrom(
    context,
    job,
    offset,
    end === undefined ? undefined : Number(end) + 1 - offset,
  );
  response.set("content-type", "text/plain; charset=utf-8");
  response.set("accept-ranges", "bytes");
  response.set("cache-control", "no-cache");
  if (start === undefined) {
    response.status(200).end(bytes);
    return;
  }
  if (bytes.length === 0) {
    response.set("content-range", `bytes */${size}`);
    response.status(416).end();
    return;
  }
  response.set("content-range", `bytes ${offset}-${offset + bytes.length - 1}/${size}`);
  response.status(206).end(bytes);
}

/** What a trace holds from `offset` on, wherever it is written at the moment. */
export async function traceFrom(
  { ci }: ForgeContext,
  job: CiJob,
  offset: number,
  maxBytes = maxPartBytes,
): Promise<{ bytes: Buffer; size: number }> {
  const limit = Math.max(0, Math.min(maxBytes, maxPartBytes));
  const none = { bytes: Buffer.alloc(0), size: 0 };
  if (job.erasedAt !== null) return none;
  const kept = await readFrom(ci.files.tracePath(job.id), offset, limit);
  if (kept) return kept;
  const live = ci.exchange ? await readFrom(ci.exchange.tracePath(job.id), offset, limit) : undefined;
  // It may have been taken over in between.
  return live ?? (await readFrom(ci.files.tracePath(job.id), offset, limit)) ?? none;
}
