import { TryLaterError } from "#core/errors";

const retryAfterMs = 5_000;

/** Lets a few in at a time, and of one person fewer than all: a slow line of theirs does not shut out the others. */
export class Gate {
  readonly #what: string;
  readonly #max: number;
  readonly #maxOfOne: number;
  readonly #inside = new Map<number, number>();

  /** `what`: in the plural, for the refusal. */
  constructor(what: string, limits: { max: number; maxOfOne: number }) {
    this.#what = what;
    this.#max = limits.max;
    this.#maxOfOne = limits.maxOfOne;
  }

  /** `TryLaterError` when too many are under way. */
  async pass<T>(userId: number, task: () => Promise<T>): Promise<T> {
    const ofOne = this.#inside.get(userId) ?? 0;
    const all = [...this.#inside.values()].reduce((sum, count) => sum + count, 0);
    if (ofOne >= this.#maxOfOne) {
      throw new TryLaterError(`${ofOne} ${this.#what} of yours are under way already`, { retryAfterMs });
    }
    if (all >= this.#max) {
      throw new TryLaterError(`${all} ${this.#what} are under way already`, { retryAfterMs });
    }
    this.#inside.set(userId, ofOne + 1);
    try {
      return await task();
    } finally {
      const left = (this.#inside.get(userId) ?? 1) - 1;
      if (left > 0) this.#inside.set(userId, left);
      else this.#inside.delete(userId);
    }
  }
}
