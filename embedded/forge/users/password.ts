import { createHmac, randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import pLimit from "p-limit";

const keyBytes = 32;
const rememberedMs = 60_000; // git signs in two or three times per command; scrypt is slow on purpose
const comparisonsAtOnce = 2; // each keeps one of the process's few threads busy for a while
const derive = promisify<string, Buffer, number, Buffer>(scrypt);

export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const key = await derive(password, salt, keyBytes);
  return `scrypt:${salt.toString("base64")}:${key.toString("base64")}`;
}

/** Compares passwords with their hashes and remembers a right one for a minute, in memory and keyed. */
export class PasswordCheck {
  readonly #key = randomBytes(32);
  readonly #right = new Map<string, number>();
  readonly #limit = pLimit(comparisonsAtOnce);

  async isRight(password: string, hash: string): Promise<boolean> {
    const [scheme, salt, key] = hash.split(":");
    if (scheme !== "scrypt" || !salt || !key) return false;
    const seen = createHmac("sha256", this.#key).update(`${hash}\n${password}`).digest("hex");
    const nowMs = Date.now();
    if ((this.#right.get(seen) ?? 0) > nowMs) return true;
    const expected = Buffer.from(key, "base64");
    const derived = await this.#limit(() => derive(password, Buffer.from(salt, "base64"), keyBytes));
    const right = timingSafeEqual(derived, expected);
    if (right) {
      for (const [each, untilMs] of this.#right) if (untilMs <= nowMs) this.#right.delete(each);
      this.#right.set(seen, nowMs + rememberedMs);
    }
    return right;
  }
}
