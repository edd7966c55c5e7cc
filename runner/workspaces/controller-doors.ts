import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { ActionNeededError, isSystemError, messageOf } from "#core/errors";
import type { Logger } from "#core/logger";
import { endToEnd, forwardHttp } from "./forward-http.ts";

const headersTimeoutMs = 20_000;

export interface DoorRules {
  /** The same in every network. */
  port: number;
  /** Of one user. */
  maxConnections: number;
  /** A request in silence for this long has ended. */
  idleMs: number;
  /** Code of the error for an address that cannot be listened on, and what the door is for: "where workspaces reach Git". */
  unusable: { code: string; purpose: string };
  /** Who asks, for the log: "a Git request of a workspace". */
  asker: string;
  /** What a request is refused with; `undefined` lets it through. */
  refusal(user: string, request: IncomingMessage): Promise<403 | 404 | undefined>;
}

interface Door {
  server: Server;
  gateway: string;
}

/**
 * Ways from users' networks to the controller: for each user an HTTP server on this machine's address in the network, which hands on
 * what its rules let through. It knows no token of anybody.
 */
export class ControllerDoors {
  readonly #controllerUrl: URL;
  readonly #logger: Logger;
  readonly #rules: DoorRules;
  readonly #doors = new Map<string, Door>();

  constructor(controllerUrl: string, logger: Logger, rules: DoorRules) {
    this.#controllerUrl = new URL(controllerUrl);
    this.#logger = logger;
    this.#rules = rules;
  }

  isOpen(user: string, gateway: string): boolean {
    return this.#doors.get(user)?.gateway === gateway;
  }

  /** Opens a user's door at this address, in place of another one; again is fine. `ActionNeededError` with the rules' code. */
  async open(user: string, gateway: string): Promise<void> {
    if (this.isOpen(user, gateway)) return;
    await this.close(user);
    const server = createServer((request, response) => void this.#answer(user, request, response));
    server.headersTimeout = headersTimeoutMs;
    server.requestTimeout = 0; // a large push takes its time; silence ends it
    server.maxConnections = this.#rules.maxConnections;
    this.#doors.set(user, { server, gateway });
    try {
      await this.#listen(server, gateway);
    } catch (error) {
      this.#doors.delete(user);
      throw error;
    }
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
    const { refusal, idleMs, asker } = this.#rules;
    const refused = await refusal(user, request);
    if (refused !== undefined) return refuse(response, refused);
    const { host: _host, ...headers } = endToEnd(request.headers);
    const origin = this.#controllerUrl;
    try {
      await forwardHttp(request, response, {
        ...{ origin, path: request.url ?? "", idleMs },
        headers: { ...headers, host: origin.host },
      });
    } catch (error) {
      this.#logger.debug({ user, err: messageOf(error) }, `${asker} broke off`);
      if (response.headersSent) response.destroy();
      else refuse(response, 502);
    }
  }

  #listen(server: Server, host: string): Promise<void> {
    const { port, unusable } = this.#rules;
    return new Promise((resolve, reject) => {
      server.once("error", (error) => {
        const why = isSystemError(error, "EADDRNOTAVAIL")
          ? "is no address of this machine"
          : `cannot be used: ${messageOf(error)}`;
        const message = `${host}:${port}, ${unusable.purpose}, ${why}`;
        const hint = "run the runner on the machine of the engine, and leave that port free";
        reject(new ActionNeededError(unusable.code, message, { hint, cause: error }));
      });
      server.listen(port, host, () => resolve());
    });
  }
}

function refuse(response: ServerResponse, status: number): void {
  const text =
    status === 502 ? "The platform cannot be reached now; try again soon.\n" : "There is nothing here.\n";
  response.writeHead(status, { "content-type": "text/plain", connection: "close" }).end(text);
}
