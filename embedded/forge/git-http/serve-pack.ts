import type { ChildProcess } from "node:child_process";
import type { Duplex, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import type { Request, Response } from "express";
import { messageOf } from "#core/errors";
import type { ForgeContext } from "../forge-context.ts";
import type { GitService } from "./git-access.ts";
import { packetLine } from "./packet-line.ts";
import { isWholeReceipt, parseReceipt, type Receipt } from "./receipt.ts";

const deadlineMs = 30 * 60_000; // a clone or push that takes longer is stuck
const maxReceiptBytes = 16 * 1024 * 1024; // about 100,000 refs in one push

export interface Transfer {
  service: GitService;
  gitDir: string;
  isAdvertisement: boolean;
  /** The protocol version the client wishes, as git's own variable. */
  protocol: string | undefined;
  environment: Record<string, string>;
  /** The request's body where it has been read already; else it is still to come. */
  body: Buffer | undefined;
}

/**
 * Lets git talk to the client. `moved` is told once which refs git says it moved, if any, also when the client is gone by
 * then; git prints the lines it answers. Resolves after git has ended. A client that goes away, and the deadline, end git and
 * what it started.
 */
export async function servePack(
  context: ForgeContext,
  transfer: Transfer,
  request: Request,
  response: Response,
  moved: (receipt: Receipt) => Promise<string[]>,
): Promise<void> {
  const { service, gitDir, isAdvertisement, protocol } = transfer;
  const command = service.slice("git-".length);
  const args = [command, "--stateless-rpc", ...(isAdvertisement ? ["--advertise-refs"] : []), gitDir];
  const child = context.git.spawn(gitDir, args, {
    stdio: ["pipe", "pipe", "pipe", "pipe"],
    environment: { ...transfer.environment, ...(protocol !== undefined && { GIT_PROTOCOL: protocol }) },
    group: true,
  });
  const answered = answerReceipt(context, child.stdio[3] as Duplex, moved);
  const complaint = collect(child.stderr as Readable, 4096);
  const deadline = setTimeout(() => endGroup(child), deadlineMs);
  response.on("close", () => {
    if (!response.writableFinished) endGroup(child);
  });

  setHead(response, transfer);
  if (isAdvertisement) response.write(advertisementHead(service));
  feed(child, request, transfer);
  child.stdout?.pipe(response, { end: false });

  const code = await new Promise<number>((resolve) => {
    child.on("error", () => resolve(-1));
    child.on("close", (exit) => resolve(exit ?? -1));
  });
  clearTimeout(deadline);
  if (code !== 0) {
    // git has told the client in its own protocol where it could; a broken stream tells the rest.
    context.logger.debug({ service, code, complaint: (await complaint).trim() }, "git ended with a failure");
  }
  if (!response.headersSent && code === -1) response.status(500);
  response.end();
  await answered;
}

/** Sets what every answer of this kind says in its headers. */
export function setHead(response: Response, { service, isAdvertisement }: Transfer): void {
  response.set("cache-control", "no-cache, max-age=0, must-revalidate");
  response.set("content-type", `application/x-${service}-${isAdvertisement ? "advertisement" : "result"}`);
}

/** What stands before git's own advertisement. */
export function advertisementHead(service: GitService): string {
  return `${packetLine(`# service=${service}\n`)}0000`;
}

function feed(child: ChildProcess, request: Request, { isAdvertisement, body }: Transfer): void {
  const stdin = child.stdin;
  if (!stdin) return;
  stdin.on("error", () => {}); // git may end before it has read everything
  if (isAdvertisement || body !== undefined) {
    stdin.end(body);
    return;
  }
  if (!/^(x-)?gzip$/i.test(request.get("content-encoding") ?? "")) {
    request.pipe(stdin);
    return;
  }
  const gunzip = createGunzip();
  gunzip.on("error", () => endGroup(child));
  request.pipe(gunzip).pipe(stdin);
}

function endGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, "SIGTERM");
  } catch {
    // It ended by itself in this very moment.
  }
}

/** Hears which refs moved as soon as all is said, or when git ends before that, and passes on what is answered. */
async function answerReceipt(
  context: ForgeContext,
  channel: Duplex,
  moved: (receipt: Receipt) => Promise<string[]>,
): Promise<void> {
  const receipt = parseReceipt(await collect(channel, maxReceiptBytes, isWholeReceipt));
  try {
    const lines = receipt.changes.length > 0 ? await moved(receipt) : [];
    // git may have ended by now, so a failure to tell is none.
    channel.on("error", () => {});
    channel.end(lines.map((line) => `${line}\n`).join(""));
  } catch (error) {
    context.logger.error({ err: messageOf(error) }, "a push was not followed up");
    channel.end();
  }
}

/** A failed pipe is an empty text: what git says beside its protocol must not fail a transfer. */
function collect(
  stream: Readable,
  maxBytes: number,
  isWhole: (text: string) => boolean = () => false,
): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const done = () => resolve(Buffer.concat(chunks).toString("utf8"));
    stream.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBytes) chunks.push(chunk);
      if (chunk.subarray(-4).toString("latin1") !== "end\n") return;
      if (isWhole(Buffer.concat(chunks).toString("utf8"))) done();
    });
    stream.on("end", done);
    stream.on("error", done);
    stream.on("close", done);
  });
}
