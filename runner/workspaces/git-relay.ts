import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { ActionNeededError, isSystemError, messageOf } from "#core/errors";
import type { Logger } from "#core/logger";
import { endToEnd, forwardHttp } from "./forward-http.ts";

/** The name under which a workspace reaches Git, and the port: the same in every user's network. */
export const gitHostName = "git.dtaas.internal";
export const gitRelayPort = 9419;

const idleMs = 15 * 60_000; // a large push may be worked on in silence for long
const headersTimeoutMs = 20_000;
const maxConnections = 32; // of one workspace; Git uses one or two
// As Git speaks: only these leave the network of a user, and only towards the controller.
const gitPath =
  /^\/git\/[A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)+\.git\/(?:info\/refs\?service=git-(?:upload|receive)-pack|git-(?:upload|receive)-pack)$/;

interface Door {
  server: Server;
  gateway: string;
  /** Whoever else is in the user's network, such as a twin, is turned away. */
  address: string;
}

/**
 * The way from a workspace to the controller's Git: a small HTTP server on this machine's address in the user's network, open
 * while the workspace runs, for the workspace's own address alone. It knows no token of anybody.
 */
export class GitRelay {
  readonly #controllerUrl: URL;
  readonly #logger: Logger;
  readonly #doors = new Map<string, Door>();

  constructor(controllerUrl: string, logger: Logger) {
    this.#controllerUrl = new URL(controllerUrl);
    this.#logger = logger;
  }

  /** Opens the door of a user, or lets another address through. `ActionNeededError("GIT_RELAY_UNUSABLE")`. */
  async open(user: string, gateway: string, address: string): Promise<void> {
    const known = this.#doors.get(user);
    if (known?.gateway === gateway) {
      known.address = address;
      return;
    }
    if (known) await this.close(user);
    const server = createServer((request, response) => void this.#answer(user, request, response));
    server.headersTimeout = headersTimeoutMs;
    server.requestTimeout = 0; // a large push takes its time; silence ends it
    server.maxConnections = maxConnections;
    await listen(server, gateway);
    this.#doors.set(user, { server, gateway, address });
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
    if (request.socket.remoteAddress !== this.#doors.get(user)?.address) return refuse(response, 403);
    if (!gitPath.test(path) || path.includes("..") || !["GET", "POST"].includes(request.method ?? "")) {
      return refuse(response, 404);
    }
    const { host: _host, ...headers } = endToEnd(request.headers);
    const to = { origin: this.#controllerUrl, path, headers, idleMs };
    try {
      await forwardHttp(request, response, {
        ...to,
        headers: { ...headers, host: this.#controllerUrl.host },
      });
    } catch (error) {
      this.#logger.debug({ user, err: messageOf(error) }, "a Git request of a workspace broke off");
      if (response.headersSent) response.destroy();
      else refuse(response, 502);
    }
  }
}

function refuse(response: ServerResponse, status: number): void {
  const text =
    status === 502 ? "The platform cannot be reached now; try again soon.\n" : "There is nothing here.\n";
  response.writeHead(status, { "content-type": "text/plain", connection: "close" }).end(text);
}

function listen(server: Server, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      const why = isSystemError(error, "EADDRNOTAVAIL")
        ? "is no address of this machine"
        : `cannot be used: ${messageOf(error)}`;
      reject(
        new ActionNeededError(
          "GIT_RELAY_UNUSABLE",
          `${host}:${gitRelayPort}, where workspaces reach Git, ${why}`,
          {
            hint: "run the runner on the machine of the engine, and leave that port free",
            cause: error,
          },
        ),
      );
    });
    server.listen(gitRelayPort, host, () => resolve());
  });
}
