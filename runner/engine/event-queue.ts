/**
 * Hands values from callbacks to one `for await` loop, in order. Holds at most `limit` values that nobody has taken
 * yet; when more come in, all of them are dropped and `overflow` stands in their place. Breaking out of the loop
 * calls `onEnd`.
 */
export class EventQueue<T> implements AsyncIterable<T> {
  #waiting: T[] = [];
  #takers: ((result: IteratorResult<T>) => void)[] = [];
  #ended = false;
  readonly #options: { limit: number; overflow: () => T; onEnd?: () => void };

  constructor(options: { limit: number; overflow: () => T; onEnd?: () => void }) {
    this.#options = options;
  }

  push(value: T): void {
    if (this.#ended) return;
    const taker = this.#takers.shift();
    if (taker) taker({ value, done: false });
    else if (this.#waiting.length < this.#options.limit) this.#waiting.push(value);
    else this.#waiting = [this.#options.overflow()];
  }

  /** What was pushed before is still delivered. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const taker of this.#takers.splice(0)) taker({ value: undefined, done: true });
    this.#options.onEnd?.();
  }

  [Symbol.asyncIterator](): AsyncIterator<T> {
    return {
      next: () => {
        const value = this.#waiting.shift();
        if (value !== undefined) return Promise.resolve({ value, done: false });
        if (this.#ended) return Promise.resolve({ value: undefined, done: true });
        return new Promise((taker) => this.#takers.push(taker));
      },
      return: () => {
        this.end();
        return Promise.resolve({ value: undefined, done: true });
      },
    };
  }
}
