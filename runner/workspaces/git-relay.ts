import type { IncomingMessage } from "node:http";
import type { Logger } from "#core/logger";
import { ControllerDoors } from "./controller-doors.ts";

/** The name under which a workspace reaches Git, and the port: the same in every user's network. */
export const gitHostName = "git.dtaas.internal";
export const gitRelayPort = 9419;

const idleMs = 15 * 60_000; // a large push may be worked on in silence for long
const maxConnections = 32; // of one workspace; Git uses one or two
// As Git speaks: only these leave the network of a user, and only towards the controller.
const gitPath =
  /^\/git\/[A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)+\.git\/(?:info\/refs\?service=git-(?:upload|receive)-pack|git-(?:upload|receive)-pack)$/;

/**
 * The way from a workspace to the controller's Git: a small HTTP server on this machine's address in the user's network, open
 * while the workspace runs, for the workspace's own address alone. It knows no token of anybody.
 */
export class GitRelay {
  readonly #doors: ControllerDoors;
  /** Of workspaces, by user. Whoever else is in the user's network, such as a twin, is turned away. */
  readonly #addresses = new Map<string, string>();

  constructor(controllerUrl: string, logger: Logger) {
    this.#doors = new ControllerDoors(controllerUrl, logger, {
      ...{ port: gitRelayPort, idleMs, maxConnections },
      unusable: { code: "GIT_RELAY_UNUSABLE", purpose: "where workspaces reach Git" },
      asker: "a Git request of a workspace",
      refusal: async (user, request) => this.#refusal(user, request),
    });
  }

  /** Opens the door of a user, or lets another address through. `ActionNeededError("GIT_RELAY_UNUSABLE")`. */
  async open(user: string, gateway: string, address: string): Promise<void> {
    this.#addresses.set(user, address);
    await this.#doors.open(user, gateway);
  }

  async close(user: string): Promise<void> {
    this.#addresses.delete(user);
    await this.#doors.close(user);
  }

  async closeAll(): Promise<void> {
    this.#addresses.clear();
    await this.#doors.closeAll();
  }

  #refusal(user: string, { socket, url = "", method = "" }: IncomingMessage): 403 | 404 | undefined {
    if (socket.remoteAddress === undefined || socket.remoteAddress !== this.#addresses.get(user)) return 403;
    return gitPath.test(url) && !url.includes("..") && ["GET", "POST"].includes(method) ? undefined : 404;
  }
}
