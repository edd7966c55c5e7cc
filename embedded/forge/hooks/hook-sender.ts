import { randomUUID } from "node:crypto";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import pLimit from "p-limit";
import { messageOf } from "#core/errors";
import type { Logger } from "#core/logger";
import type { HookTarget } from "../store/records.ts";
import { Underway } from "../underway.ts";
import { type HookEvent, HookEvents } from "./hook-events.ts";
import { hookHeaders } from "./hook-headers.ts";
import { postHook } from "./post-hook.ts";

const deliveriesAtOnce = 16;
const maxBodyBytes = 25 * 1024 * 1024; // GitLab's limit: larger ones are not sent
const closeWaitMs = 2_000; // deliveries under way get this long when the forge stops

export interface HookSenderOptions {
  eventsFolder: string;
  /** External URL of the forge, known once it listens. */
  instanceUrl: () => string;
  clock: () => Date;
  logger: Logger;
}

/**
 * Sends webhooks in the background, a few at once. As with GitLab a delivery that fails is not sent again by
 * itself; every attempt is kept in the hook's event log.
 */
export class HookSender {
  readonly events: HookEvents;
  readonly #options: HookSenderOptions;
  readonly #limit = pLimit(deliveriesAtOnce);
  readonly #underway = new Underway();
  readonly #agents = { http: new HttpAgent({ keepAlive: true }), https: new HttpsAgent({ keepAlive: true }) };
  readonly #closing = new AbortController();

  constructor(options: HookSenderOptions) {
    this.#options = options;
    this.events = new HookEvents(options.eventsFolder);
  }

  /** Sends and returns at once. */
  send(hook: HookTarget, flag: string, payload: unknown): void {
    this.inBackground(() => this.deliver(hook, flag, payload)).catch((error: unknown) => {
      this.#options.logger.error(
        { hook: hook.id, err: messageOf(error) },
        "a webhook was not kept in the log",
      );
    });
  }

  /** Runs a task that `close` waits for. */
  inBackground<T>(task: () => Promise<T>): Promise<T> {
    return this.#underway.run(task);
  }

  /** Sends once and resolves with what came back; a refusal or a dead receiver is an answer, not an error. */
  async deliver(
    hook: HookTarget,
    flag: string,
    payload: unknown,
    deliveryId: string = randomUUID(),
  ): Promise<HookEvent> {
    const { instanceUrl, clock, logger } = this.#options;
    const body = Buffer.from(JSON.stringify(payload));
    const headers = hookHeaders({ hook, flag, body, deliveryId, instanceUrl: instanceUrl(), now: clock() });
    const answer = await this.#limit(async () =>
      body.length > maxBodyBytes
        ? { status: undefined, error: "the body is too large", headers: {}, body: "", durationMs: 0 }
        : await postHook({ hook, headers, body, agents: this.#agents, signal: this.#closing.signal }),
    );
    if (answer.status === undefined || answer.status >= 400) {
      logger.warn({ hook: hook.id, flag, status: answer.status, err: answer.error }, "a webhook failed");
    }
    return await this.events.add(hook, { flag, payload, headers, answer, deliveryId, at: clock() });
  }

  /** Gives deliveries under way a moment, then ends them. */
  async close(): Promise<void> {
    const done = this.#underway.settled();
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([done, new Promise((resolve) => (timer = setTimeout(resolve, closeWaitMs)))]);
    clearTimeout(timer);
    this.#closing.abort();
    await done;
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }
}
