/** Remembers values for a while and asks once when several want the same value. Failures are not remembered. */
export class ExpiringCache<V> {
  readonly #entries = new Map<string, { value: Promise<V>; settled?: V; expiresAtMs: number }>();
  readonly #maxEntries: number;
  readonly #nowMs: () => number;

  constructor(options: { maxEntries: number; nowMs?: () => number }) {
    this.#maxEntries = options.maxEntries;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  /** `ttlMs` says for how long, given the value. */
  async get(key: string, load: () => Promise<V>, ttlMs: (value: V) => number): Promise<V> {
    const known = this.#entries.get(key);
    if (known && known.expiresAtMs > this.#nowMs()) return await known.value;
    const entry: { value: Promise<V>; settled?: V; expiresAtMs: number } = {
      value: load(),
      expiresAtMs: Number.POSITIVE_INFINITY,
    };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size > this.#maxEntries) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    try {
      const value = await entry.value;
      entry.settled = value;
      entry.expiresAtMs = this.#nowMs() + ttlMs(value);
      return value;
    } catch (error) {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
      throw error;
    }
  }

  /** What is known now, without asking. */
  peek(key: string): V | undefined {
    const known = this.#entries.get(key);
    return known && known.expiresAtMs > this.#nowMs() ? known.settled : undefined;
  }
}
