import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { Request } from "express";
import { ApiError } from "../http/api-error.ts";

const maxShortBytes = 64 * 1024; // what a client asks; a push, or a fetch that names a thousand commits, may be longer
const maxUnpackedBytes = 1024 * 1024;
const unpack = promisify(gunzip);

/** The whole body, unpacked, when the client says that it is short; else `undefined`, and nothing of it has been read. */
export async function readShortBody(request: Request): Promise<Buffer | undefined> {
  const bytes = Number(request.get("content-length") ?? Number.NaN);
  if (!(bytes <= maxShortBytes)) return undefined;
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const isPacked = /^(x-)?gzip$/i.test(request.get("content-encoding") ?? "");
    return isPacked ? await unpack(body, { maxOutputLength: maxUnpackedBytes }) : body;
  } catch {
    throw new ApiError(400, { error: "The request could not be read" }); // cut off, or not packed as it says
  }
}
