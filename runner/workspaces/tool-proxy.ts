import { createHash, timingSafeEqual } from "node:crypto";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { isSystemError, messageOf } from "#core/errors";
import type { Logger } from "#core/logger";
import { type Destination, endToEnd, forwardHttp, forwardUpgrade } from "./forward-http.ts";

const idleMs = 10 * 60_000; // a notebook may be silent while it computes
const loopback = "127.0.0.1";
const cookiePrefix = "dtaas_workspace_"; // one for each port: browsers share cookies between ports of one host
const platformCookie = /^(__Host-)?dtaas_/;

export interface ToolTarget {
  /** Of the container, in the user's network. */
  address: string;
  port: number;
  /** What the tools ask for. */
  toolKey: string;
  /** What whoever comes here has to show once, as `?token=`; a cookie keeps it. */
  accessToken: string;
}

/**
 * A way to the tools of a workspace on this machine's loopback address: whoever shows the workspace's access token, and nobody
 * else, is let through. Neither the token nor a cookie of the platform reaches the container; the key its tools ask for is added.
 */
export class ToolProxies {
  readonly #logger: Logger;
  readonly #open = new Map<string, { server: Server; port: number; target: ToolTarget }>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** The port. The same as before where it is free (`preferred`). */
  async open(user: string, target: ToolTarget, preferred: number | undefined): Promise<number> {
    const known = this.#open.get(user);
    if (known) {
      known.target = target;
      return known.port;
    }
    const server = createServer((request, response) => void this.#answer(user, request, response));
    server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#upgrade(user, request, socket, head),
    );
    server.requestTimeout = 0; // an upload may take long
    const port = await listen(server, preferred);
    this.#open.set(user, { server, port, target });
    return port;
  }

  async close(user: string): Promise<void> {
    const known = this.#open.get(user);
    if (!known) return;
    this.#open.delete(user);
    const closed = new Promise((resolve) => known.server.close(resolve));
    known.server.closeAllConnections();
    await closed;
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#open.keys()].map((user) => this.close(user)));
  }

  async #answer(user: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const known = this.#open.get(user);
    if (!known) return refuse(response, 404);
    const { port, target } = known;
    const base = `http://${loopback}:${port}`;
    const asked = request.url ?? "/";
    if (!asked.startsWith("/") || !URL.canParse(base + asked) || !isOwnHost(request, port)) {
      return refuse(response, 421);
    }
    const url = new URL(base + asked);
    const given = url.searchParams.get("token");
    if (given !== null && request.method === "GET" && isSame(given, target.accessToken)) {
      // Out of the address at once: addresses are remembered and sent on.
      url.searchParams.delete("token");
      const cookie = `${cookiePrefix}${port}=${given}; Path=/; HttpOnly; SameSite=Strict`;
      const path = url.pathname.replace(/^\/+/, "/"); // two slashes would lead to another host
      response.writeHead(303, { location: `${path}${url.search}`, "set-cookie": cookie }).end();
      return;
    }
    if (!isAllowed(request, port, target.accessToken)) return refuse(response, 401);
    if (!["GET", "HEAD"].includes(request.method ?? "") && !isOwnOrigin(request, port)) {
      return refuse(response, 403);
    }
    try {
      await forwardHttp(request, response, destination(request, target), withoutOurCookies);
    } catch (error) {
      this.#logger.debug({ user, err: messageOf(error) }, "a request to a workspace broke off");
      if (response.headersSent) response.destroy();
      else refuse(response, 502);
    }
  }

  #upgrade(user: string, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const known = this.#open.get(user);
    const isFine =
      known !== undefined &&
      isOwnHost(request, known.port) &&
      isAllowed(request, known.port, known.target.accessToken) &&
      isOwnOrigin(request, known.port);
    if (!isFine) return void socket.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n");
    forwardUpgrade(request, socket, head, destination(request, known.target));
  }
}

function destination(request: IncomingMessage, target: ToolTarget): Destination {
  const cookie = foreignCookies(request.headers.cookie);
  const { cookie: _cookie, authorization: _authorization, ...headers } = endToEnd(request.headers);
  return {
    origin: new URL(`http://${target.address}:${target.port}`),
    path: request.url ?? "/",
    headers: {
      ...headers,
      ...(cookie === "" ? {} : { cookie }),
      authorization: `token ${target.toolKey}`,
    },
    idleMs,
  };
}

/**
 * Cookies of this host belong to all its ports: those of the platform, of its sign-in and of other workspaces too, must not
 * reach a container.
 */
function foreignCookies(header: string | undefined): string {
  const pairs = (header ?? "").split(";").map((pair) => pair.trim());
  return pairs.filter((pair) => pair !== "" && !platformCookie.test(pair)).join("; ");
}

function withoutOurCookies(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const set = headers["set-cookie"]?.filter((cookie) => !platformCookie.test(cookie.trimStart()));
  return { ...headers, ...(set ? { "set-cookie": set } : {}) };
}

function isAllowed(request: IncomingMessage, port: number, token: string): boolean {
  const bearer = /^bearer +(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
  if (bearer !== undefined) return isSame(bearer, token);
  const name = `${cookiePrefix}${port}=`;
  const pairs = (request.headers.cookie ?? "").split(";").map((pair) => pair.trim());
  return pairs.some((pair) => pair.startsWith(name) && isSame(pair.slice(name.length), token));
}

/** A page of another address may make a browser ask, too: it is told by its origin. Programs send none. */
function isOwnOrigin(request: IncomingMessage, port: number): boolean {
  const { origin } = request.headers;
  return origin === undefined || ownHosts(port).some((host) => origin === `http://${host}`);
}

/** Any other name that leads here was made to lead here by somebody. */
function isOwnHost(request: IncomingMessage, port: number): boolean {
  return ownHosts(port).includes(request.headers.host ?? "");
}

function ownHosts(port: number): string[] {
  return [`${loopback}:${port}`, `localhost:${port}`];
}

function isSame(given: string, expected: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

function refuse(response: ServerResponse, status: number): void {
  const text: Record<number, string> = {
    401: "Open this workspace with: dtaas workspace open\n",
    403: "Another page must not do this.\n",
    502: "The workspace does not answer.\n",
  };
  response
    .writeHead(status, { "content-type": "text/plain" })
    .end(text[status] ?? "There is nothing here.\n");
}

async function listen(server: Server, preferred: number | undefined): Promise<number> {
  for (const port of preferred === undefined ? [0] : [preferred, 0]) {
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, loopback, () => {
          server.off("error", reject);
          resolve();
        });
      });
      return (server.address() as AddressInfo).port;
    } catch (error) {
      if (!isSystemError(error, "EADDRINUSE") || port === 0) throw error;
    }
  }
  throw new Error("no port was tried");
}
