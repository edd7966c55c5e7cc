import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";

const keptMs = 10 * 60_000; // a request that began before the refresh may want to refresh as well
const maxKept = 10_000;

/**
 * A refresh token is good once, and using it twice ends the sign-in: whoever comes with one that was used gets what it was
 * exchanged for. Failures are not remembered.
 */
export class RefreshOnce<Tokens> {
  readonly #exchanges = new LRUCache<string, Promise<Tokens>>({ max: maxKept, ttl: keptMs });

  async run(refreshToken: string, exchange: () => Promise<Tokens>): Promise<Tokens> {
    const key = createHash("sha256").update(refreshToken).digest("hex");
    const known = this.#exchanges.get(key);
    if (known) return await known;
    const exchanging = exchange();
    this.#exchanges.set(key, exchanging as Promise<Tokens>);
    exchanging.catch(() => this.#exchanges.delete(key));
    return await exchanging;
  }
}
