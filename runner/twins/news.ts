import { stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "#core/errors";
import { listFolder } from "../runs/run-store.ts";
import type { Runner } from "./runner.ts";

// Two changes within one tick of the file system's clock look like one: a folder that changed this recently is read again.
const unsettledMs = 1_000;

/** Finds documents and requests whose nudge was lost. A folder in which nothing was added, replaced or removed costs one look at its time. */
export class News {
  readonly #runner: Pick<Runner, "data" | "desired" | "published" | "runs" | "logger">;
  readonly #settled = new Map<string, bigint | undefined>();

  constructor(runner: Pick<Runner, "data" | "desired" | "published" | "runs" | "logger">) {
    this.#runner = runner;
  }

  /** Users whose document has not been applied, or who have asked for something, since the call before. */
  async users(): Promise<Set<string>> {
    const { data, desired, published } = this.#runner;
    const found = new Set<string>();
    if (await this.#hasChanged(data.desired)) {
      for (const user of new Set([...(await desired.users()), ...published.users()])) {
        await this.#look(found, user, () => this.#isBehind(user));
      }
    }
    for (const user of await listFolder(data.requests)) {
      if (await this.#hasChanged(join(data.requests, user))) {
        await this.#look(found, user, () => this.#hasAsked(user));
      }
    }
    return found;
  }

  /** One user's trouble, such as a document that cannot be read, is theirs alone. */
  async #look(found: Set<string>, user: string, isNews: () => Promise<boolean>): Promise<void> {
    try {
      if (await isNews()) found.add(user);
    } catch (error) {
      this.#runner.logger.warn({ user, err: messageOf(error) }, "could not look for news");
    }
  }

  async #isBehind(user: string): Promise<boolean> {
    const desired = await this.#runner.desired.get(user);
    const applied = this.#runner.published.get(user);
    return desired ? applied?.generation !== desired.generation : (applied?.twins.length ?? 0) > 0;
  }

  async #hasAsked(user: string): Promise<boolean> {
    const { requests, cancels } = await this.#runner.runs.requests(user);
    return requests.length > 0 || cancels.size > 0;
  }

  async #hasChanged(folder: string): Promise<boolean> {
    const found = await stat(folder, { bigint: true }).catch(() => undefined);
    const isKnown = this.#settled.has(folder) && this.#settled.get(folder) === found?.mtimeNs;
    const isSettled = found === undefined || Date.now() - Number(found.mtimeMs) > unsettledMs;
    if (isSettled) this.#settled.set(folder, found?.mtimeNs);
    else this.#settled.delete(folder);
    return !isKnown;
  }
}
