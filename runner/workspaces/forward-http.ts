import {
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { request as httpsRequest } from "node:https";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";

export interface Destination {
  /** Scheme, host and port. */
  origin: URL;
  /** Path and query, as they are sent. */
  path: string;
  headers: IncomingHttpHeaders;
  /** Silence of the other side that counts as its end. */
  idleMs: number;
}

// They belong to one connection, not to the message (RFC 9110, 7.6.1).
const ofConnection = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "proxy-connection",
];

/** Headers without those that belong to the connection they came on. */
export function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const named = String(headers.connection ?? "")
    .toLowerCase()
    .split(",")
    .map((name) => name.trim());
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !ofConnection.includes(name) && !named.includes(name)),
  );
}

/**
 * Hands a request on and its answer back, as they stream; nothing is kept. Resolves when the answer has been sent; rejects
 * when the destination cannot be reached or breaks off, and then `response.headersSent` tells whether it had begun.
 */
export async function forwardHttp(
  incoming: IncomingMessage,
  response: ServerResponse,
  to: Destination,
  change: (headers: IncomingHttpHeaders) => IncomingHttpHeaders = (headers) => headers,
): Promise<void> {
  const outgoing = open(incoming, to);
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once("response", resolve);
    outgoing.once("error", reject);
  });
  answered.catch(() => undefined);
  response.once("close", () => {
    if (!response.writableFinished) outgoing.destroy(); // whoever asked is gone
  });
  const sending = hasBody(incoming) ? pipeline(incoming, outgoing) : void outgoing.end();
  const answer = await Promise.race([answered, failureOf(sending)]);
  response.writeHead(answer.statusCode ?? 502, change(endToEnd(answer.headers)));
  await pipeline(answer, response);
}

/** The same for a connection that changes its protocol, such as to WebSocket. Never rejects. */
export function forwardUpgrade(
  incoming: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  to: Destination,
): void {
  const headers = { ...to.headers, connection: "upgrade", upgrade: incoming.headers.upgrade ?? "websocket" };
  const outgoing = open(incoming, { ...to, headers });
  const giveUp = () => {
    outgoing.destroy();
    socket.destroy();
  };
  outgoing.once("error", giveUp);
  socket.once("error", giveUp);
  outgoing.once("response", (answer) => {
    socket.end(
      `HTTP/1.1 ${answer.statusCode ?? 502} ${answer.statusMessage ?? ""}\r\nConnection: close\r\n\r\n`,
    );
    answer.resume();
  });
  outgoing.once("upgrade", (answer, far, farHead) => {
    const lines = Object.entries(answer.headers).flatMap(([name, value]) =>
      [value ?? []].flat().map((one) => `${name}: ${one}`),
    );
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("\r\n")}\r\n\r\n`);
    if (farHead.length > 0) socket.write(farHead);
    if (head.length > 0) far.write(head);
    for (const [one, other] of [
      [far, socket],
      [socket, far],
    ] as const) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
      one.pipe(other);
    }
  });
  outgoing.end();
}

function open(incoming: IncomingMessage, to: Destination) {
  const send = to.origin.protocol === "https:" ? httpsRequest : httpRequest;
  const outgoing = send({
    host: to.origin.hostname,
    port: to.origin.port || (to.origin.protocol === "https:" ? 443 : 80),
    method: incoming.method,
    path: to.path,
    headers: to.headers,
    agent: false,
  });
  outgoing.setTimeout(to.idleMs, () => outgoing.destroy(new Error("no answer")));
  return outgoing;
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

/** Only ever rejects: an answer may come before everything has been sent. */
async function failureOf(sending: Promise<void> | undefined): Promise<never> {
  await sending;
  return await new Promise<never>(() => undefined);
}
