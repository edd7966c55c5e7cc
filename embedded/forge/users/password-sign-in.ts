import { LRUCache } from "lru-cache";
import { ApiError } from "../http/api-error.ts";
import type { UserRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { hashPassword, PasswordCheck } from "./password.ts";

const windowMs = 10 * 60_000;
// Failures within a window, after which more are refused unread. A typing error costs nothing, guessing goes nowhere.
const maxOfUserFromAddress = 10;
const maxOfAddress = 50; // people behind one address
const maxOfUser = 100; // from anywhere; more, so that a stranger with one address cannot shut somebody out
const maxCounted = 50_000; // counters kept; the one not used longest goes first

/** Signs people in by user name and password, on pages and by git alike, and slows down whoever guesses. */
export class PasswordSignIn {
  readonly #store: Pick<Store, "usersByName">;
  readonly #check = new PasswordCheck();
  readonly #failures = new LRUCache<string, { count: number }>({ max: maxCounted, ttl: windowMs });
  #nobodysHash: Promise<string> | undefined;

  constructor(store: Pick<Store, "usersByName">) {
    this.#store = store;
  }

  /** `undefined` when it is not right. Throws `ApiError` 429 after too many failures. */
  async signIn(address: string, username: string, password: string): Promise<UserRecord | undefined> {
    const limits: [string, number][] = [
      [`both:${username.toLowerCase()}:${address}`, maxOfUserFromAddress],
      [`address:${address}`, maxOfAddress],
      [`user:${username.toLowerCase()}`, maxOfUser],
    ];
    if (limits.some(([key, max]) => (this.#failures.get(key)?.count ?? 0) >= max)) throw tooMany();
    // Counted before the slow comparison, so that many at once do not slip through together.
    for (const [key] of limits) this.#count(key, 1);
    const user = this.#store.usersByName.first(username.toLowerCase());
    const canSignIn = user?.password && user.state === "active";
    // A user who is not there takes as long as one who is.
    this.#nobodysHash ??= hashPassword("");
    const hash = canSignIn ? user.password : await this.#nobodysHash;
    const isRight = (await this.#check.isRight(password, hash ?? "")) && canSignIn;
    if (!isRight) return undefined;
    for (const [key] of limits) this.#count(key, -1);
    return user;
  }

  #count(key: string, by: number): void {
    const failures = this.#failures.get(key);
    if (failures) failures.count = Math.max(failures.count + by, 0);
    else if (by > 0) this.#failures.set(key, { count: by });
  }
}

function tooMany(): ApiError {
  return new ApiError(429, {
    message: "429 Too Many Requests: too many failed sign-ins, try again in ten minutes",
  });
}
