import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { ActionNeededError, isSystemError, messageOf } from "#core/errors";
import type { Logger } from "#core/logger";
import { endToEnd, forwardHttp } from "../workspaces/forward-http.ts";

/** The name under which a job reaches the controller, and the port: the same in every network. */
export const ciHostName = "dtaas.internal";
export const ciDoorPort = 9420;

const idleMs = 5 * 60_000; // a log that is followed may be silent for long; the stream says something before that
const headersTimeoutMs = 20_000;
const maxConnections = 64; // of the jobs of one person
const admissionMs = 2_000; // a job may ask before it is known which address it has got
const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

interface Door {
  server: Server;
  gateway: string;
  addresses: Set<string>;
}

/**
 * The way from jobs to the controller's API, and to nothing else of it: an HTTP server on this machine's address in the network of one
 * person's jobs, for the addresses of jobs that run now. It knows no token of anybody.
 */
export class CiDoor {
  readonly #controllerUrl: URL;
  readonly #logger: Logger;
  readonly #doors = new Map<string, Door>();

  constructor(controllerUrl: string, logger: Logger) {
    this.#controllerUrl = new URL(controllerUrl);
    this.#logger = logger;
  }

  /** Opens the door in the network of a person's jobs; again is fine. `ActionNeededError("CI_DOOR_UNUSABLE")`. */
  async open(user: string, gateway: string): Promise<void> {
    if (this.#doors.get(user)?.gateway === gateway) return;
    await this.close(user);
    const addresses = new Set<string>();
    const server = createServer((request, response) => void this.#answer(user, request, response));
    server.headersTimeout = headersTimeoutMs;
    server.requestTimeout = 0; // silence ends a request
    server.maxConnections = maxConnections;
    this.#doors.set(user, { server, gateway, addresses });
    try {
      await listen(server, gateway);
    } catch (error) {
      this.#doors.delete(user);
      throw error;
    }
  }

  /** Lets a job through, from its address, until it is turned away. */
  admit(user: string, address: string): void {
    this.#doors.get(user)?.addresses.add(address);
  }

  expel(user: string, address: string): void {
    this.#doors.get(user)?.addresses.delete(address);
  }

  async close(user: string): Promise<void> {
    const door = this.#doors.get(user);
    if (!door) return;
    this.#doors.delete(user);
    const closed = new Promise((resolve) => door.server.close(resolve));
    door.server.closeAllConnections();
    await closed;
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#doors.keys()].map((user) => this.close(user)));
  }

  async #answer(user: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? "";
    if (!(await this.#isAdmitted(user, request.socket.remoteAddress ?? ""))) return refuse(response, 403);
    if (!isApiPath(path) || !methods.includes(request.method ?? "")) return refuse(response, 404);
    const { host: _host, ...headers } = endToEnd(request.headers);
    const origin = this.#controllerUrl;
    try {
      await forwardHttp(request, response, {
        origin,
        path,
        headers: { ...headers, host: origin.host },
        idleMs,
      });
    } catch (error) {
      this.#logger.debug({ user, err: messageOf(error) }, "a request of a job broke off");
      if (response.headersSent) response.destroy();
      else refuse(response, 502);
    }
  }

  async #isAdmitted(user: string, address: string): Promise<boolean> {
    const deadline = Date.now() + admissionMs;
    for (;;) {
      if (this.#doors.get(user)?.addresses.has(address)) return true;
      if (Date.now() > deadline) return false;
      await delay(50);
    }
  }
}

/** `/api/v1/...`, written in the one plain way: nothing that somebody else might read as another path. */
export function isApiPath(url: string): boolean {
  const [path = ""] = url.split("?", 1);
  if (!path.startsWith("/api/v1/") || /[\\\p{Cc}]|\/\/|%2e|%2f|%5c/iu.test(path)) return false;
  return path.split("/").every((part) => part !== "." && part !== "..");
}

function refuse(response: ServerResponse, status: number): void {
  const text =
    status === 502 ? "The platform cannot be reached now; try again soon.\n" : "There is nothing here.\n";
  response.writeHead(status, { "content-type": "text/plain", connection: "close" }).end(text);
}

function listen(server: Server, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      const why = isSystemError(error, "EADDRNOTAVAIL") ? "is no address of this machine" : messageOf(error);
      reject(
        new ActionNeededError(
          "CI_DOOR_UNUSABLE",
          `${host}:${ciDoorPort}, where jobs reach the platform: ${why}`,
          {
            hint: "run the runner on the machine of the engine, and leave that port free",
            cause: error,
          },
        ),
      );
    });
    server.listen(ciDoorPort, host, () => resolve());
  });
}
