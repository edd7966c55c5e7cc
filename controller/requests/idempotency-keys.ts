import { createHash } from "node:crypto";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { writeJsonAtomic } from "#core/atomic-file";
import type { DataFolder } from "#core/data-folder";
import { ActionNeededError, isSystemError } from "#core/errors";
import { type OnSetAside, readOrSetAside } from "#core/read-or-set-aside";
import { runIdPattern } from "#core/run-id";

export const keyKeptMs = 24 * 3600 * 1000; // who has no answer within a day asks anew
const sweepEveryMs = 3600 * 1000;

/** Who asked for what; the same key with another wish is refused. */
export interface KeyedWish {
  user: string;
  twin: string;
  requestedBy: string;
  /** The operation of a run, or the former run of a rerun. */
  asks: string;
}

/** What a key stands for. It is on disk before the request is, so that the request is made once. */
export interface KeyedRun {
  runId: string;
  operation: string;
}

interface Kept extends KeyedRun {
  version: 1;
  twin: string;
  asks: string;
  at: string;
}

/** Idempotency keys of accepted runs, each in a file of its own; they outlive the request and a restart. */
export class IdempotencyKeys {
  readonly #folder: string;
  readonly #onSetAside: OnSetAside;
  readonly #sweptAt = new Map<string, number>();

  constructor(data: Pick<DataFolder, "keys">, onSetAside: OnSetAside) {
    this.#folder = data.keys;
    this.#onSetAside = onSetAside;
  }

  /** The run that this key stands for. `ActionNeededError("IDEMPOTENCY_KEY_REUSED")` when it came with another wish. */
  async find(wish: KeyedWish, key: string): Promise<KeyedRun | undefined> {
    const path = this.#path(wish, key);
    const kept = await readOrSetAside(path, { check: checkKept, onSetAside: this.#onSetAside });
    if (!kept || Date.now() - Date.parse(kept.at) > keyKeptMs) return undefined;
    if (kept.twin === wish.twin && kept.asks === wish.asks) return kept;
    throw new ActionNeededError(
      "IDEMPOTENCY_KEY_REUSED",
      `this Idempotency-Key came with another request before, which is run ${kept.runId} of ${wish.user}/${kept.twin}`,
      { hint: "make a new key for each request, and send it again only with that request" },
    );
  }

  /** Resolves when it would survive a power cut. */
  async keep(wish: KeyedWish, key: string, run: KeyedRun): Promise<void> {
    const { twin, asks } = wish;
    const kept: Kept = { version: 1, ...run, twin, asks, at: new Date().toISOString() };
    await writeJsonAtomic(this.#path(wish, key), kept, 0o600);
    await this.#sweep(wish.user);
  }

  /** Keys are a caller's own: two people with the same one do not meet. */
  #path({ user, requestedBy }: KeyedWish, key: string): string {
    const name = createHash("sha256")
      .update(JSON.stringify([requestedBy, key]))
      .digest("hex");
    return join(this.#folder, user, `${name}.json`);
  }

  async #sweep(user: string): Promise<void> {
    const now = Date.now();
    if (now - (this.#sweptAt.get(user) ?? 0) < sweepEveryMs) return;
    this.#sweptAt.set(user, now);
    const folder = join(this.#folder, user);
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      const { mtimeMs } = await stat(path).catch(goneMeanwhile);
      if (now - mtimeMs > keyKeptMs) await rm(path, { force: true });
    }
  }
}

function goneMeanwhile(error: unknown): { mtimeMs: number } {
  if (isSystemError(error, "ENOENT")) return { mtimeMs: Number.POSITIVE_INFINITY };
  throw error;
}

function checkKept(value: unknown, path: string): Kept {
  const { runId, operation, twin, asks, at } = (value ?? {}) as Partial<Record<keyof Kept, unknown>>;
  const areTexts = [operation, twin, asks].every((text) => typeof text === "string");
  const isRun = typeof runId === "string" && runIdPattern.test(runId);
  if (areTexts && isRun && typeof at === "string" && Number.isFinite(Date.parse(at))) return value as Kept;
  throw new ActionNeededError("DOCUMENT_INVALID", `${path} is no idempotency key`);
}
