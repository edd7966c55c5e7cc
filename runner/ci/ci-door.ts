import type { IncomingMessage } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "#core/logger";
import { ControllerDoors } from "../workspaces/controller-doors.ts";

/** The name under which a job reaches the controller, and the port: the same in every network. */
export const ciHostName = "dtaas.internal";
export const ciDoorPort = 9420;

const idleMs = 5 * 60_000; // a log that is followed may be silent for long; the stream says something before that
const maxConnections = 64; // of the jobs of one person
const admissionMs = 2_000; // a job may ask before it is known which address it has got
const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/**
 * The way from jobs to the controller's API, and to nothing else of it: an HTTP server on this machine's address in the network of one
 * person's jobs, for the addresses of jobs that run now. It knows no token of anybody.
 */
export class CiDoor {
  readonly #doors: ControllerDoors;
  /** Of jobs that run now, by the person whose they are. */
  readonly #addresses = new Map<string, Set<string>>();

  constructor(controllerUrl: string, logger: Logger) {
    this.#doors = new ControllerDoors(controllerUrl, logger, {
      ...{ port: ciDoorPort, idleMs, maxConnections },
      unusable: { code: "CI_DOOR_UNUSABLE", purpose: "where jobs reach the platform" },
      asker: "a request of a job",
      refusal: (user, request) => this.#refusal(user, request),
    });
  }

  /** Opens the door in the network of a person's jobs; again is fine. `ActionNeededError("CI_DOOR_UNUSABLE")`. */
  async open(user: string, gateway: string): Promise<void> {
    if (this.#doors.isOpen(user, gateway)) return;
    this.#addresses.set(user, new Set());
    await this.#doors.open(user, gateway);
  }

  /** Lets a job through, from its address, until it is turned away. */
  admit(user: string, address: string): void {
    this.#addresses.get(user)?.add(address);
  }

  expel(user: string, address: string): void {
    this.#addresses.get(user)?.delete(address);
  }

  async close(user: string): Promise<void> {
    this.#addresses.delete(user);
    await this.#doors.close(user);
  }

  async closeAll(): Promise<void> {
    this.#addresses.clear();
    await this.#doors.closeAll();
  }

  async #refusal(user: string, request: IncomingMessage): Promise<403 | 404 | undefined> {
    if (!(await this.#isAdmitted(user, request.socket.remoteAddress ?? ""))) return 403;
    return isApiPath(request.url ?? "") && methods.includes(request.method ?? "") ? undefined : 404;
  }

  async #isAdmitted(user: string, address: string): Promise<boolean> {
    const deadline = Date.now() + admissionMs;
    for (;;) {
      if (this.#addresses.get(user)?.has(address)) return true;
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
