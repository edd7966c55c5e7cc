import { createHash, hkdfSync } from "node:crypto";
import { chmod, mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { CompactEncrypt, compactDecrypt } from "jose";
import { LRUCache } from "lru-cache";
import { readTextIfThere, writeFileAtomic } from "#core/atomic-file";
import { SerialByKey } from "#core/serial-by-key";

const maxInMemory = 1_000; // the others are read from disk again
const endedForMs = 60 * 60_000; // a request under way when somebody signs out ends before that
const maxEnded = 10_000;
const noteUseEveryS = 5 * 60; // that a session was used is told to the disk no more often than this

/** What a browser's session is about, with the tokens that sign-in has given us. Nothing of it reaches the browser. */
export interface SessionData {
  id_token?: string;
  access_token?: string;
  refresh_token?: string;
  token_type?: string;
  /** Seconds since 1970. */
  expires_at?: number | string;
  [more: string]: unknown;
}

export interface StoredSession {
  /** When it began, was used last, and ends; seconds since 1970. */
  header: { iat: number; uat: number; exp: number };
  data: SessionData;
}

/** Sessions of browsers on disk, each encrypted, under the hash of its name. Whoever reads the disk has no cookie and no token. */
export class SessionStore {
  readonly #folder: string;
  readonly #key: Uint8Array;
  readonly #known = new LRUCache<string, StoredSession>({ max: maxInMemory });
  readonly #ended = new LRUCache<string, true>({ max: maxEnded, ttl: endedForMs });
  readonly #serial = new SerialByKey();

  private constructor(folder: string, key: Uint8Array) {
    this.#folder = folder;
    this.#key = key;
  }

  static async open(folder: string, secret: string): Promise<SessionStore> {
    await mkdir(folder, { recursive: true });
    await chmod(folder, 0o700);
    return new SessionStore(folder, new Uint8Array(hkdfSync("sha256", secret, "", "dtaas sessions", 32)));
  }

  /** `undefined` where there is none, and where another secret, or nobody we know, has written it. */
  async get(id: string): Promise<StoredSession | undefined> {
    const known = this.#known.get(id);
    if (known) return known;
    const text = await readTextIfThere(this.#path(id));
    if (text === undefined || this.#ended.has(id)) return undefined;
    try {
      const { plaintext } = await compactDecrypt(text, this.#key, {
        keyManagementAlgorithms: ["dir"],
        contentEncryptionAlgorithms: ["A256GCM"],
      });
      const { name, ...session } = JSON.parse(new TextDecoder().decode(plaintext)) as StoredSession & {
        name: string;
      };
      if (name !== id) return undefined; // a file put in the place of another
      this.#known.set(id, session);
      return session;
    } catch {
      return undefined;
    }
  }

  /**
   * Keeps a session as it is after a request. Requests of one browser overlap: one that began before a refresh must not bring the
   * old tokens back, and one that began before the sign-out not the session.
   */
  async set(id: string, session: StoredSession): Promise<void> {
    await this.#serial.run(id, async () => {
      const before = await this.get(id);
      if (this.#ended.has(id)) return;
      const next = { header: { ...session.header }, data: newest(before?.data, session.data) };
      const isSame = before !== undefined && JSON.stringify(before.data) === JSON.stringify(next.data);
      if (isSame && next.header.uat - before.header.uat < noteUseEveryS) return;
      this.#known.set(id, next);
      const bytes = new TextEncoder().encode(JSON.stringify({ ...next, name: id }));
      const text = await new CompactEncrypt(bytes)
        .setProtectedHeader({ alg: "dir", enc: "A256GCM" })
        .encrypt(this.#key);
      await writeFileAtomic(this.#path(id), text, 0o600);
    });
  }

  async destroy(id: string): Promise<void> {
    this.#ended.set(id, true);
    this.#known.delete(id);
    await this.#serial.run(id, () => rm(this.#path(id), { force: true }));
  }

  /** Removes what was not used for longer than a session lasts. */
  async sweep(longestIdleS: number): Promise<void> {
    const oldestMs = Date.now() - (longestIdleS + noteUseEveryS) * 1_000;
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name);
      const changedMs = (await stat(path).catch(() => undefined))?.mtimeMs;
      if (changedMs !== undefined && changedMs < oldestMs) await rm(path, { force: true });
    }
  }

  #path(id: string): string {
    return join(this.#folder, `${createHash("sha256").update(id).digest("hex")}.jwe`);
  }
}

/** Of two states of a session, the one with the tokens that are good for longer; a sign-in anew always counts. */
function newest(before: SessionData | undefined, after: SessionData): SessionData {
  if (!before || before["sid"] !== after["sid"]) return { ...after };
  const isOlder = Number(after.expires_at ?? 0) < Number(before.expires_at ?? 0);
  return isOlder ? { ...after, ...tokensOf(before) } : { ...after };
}

export function tokensOf(data: SessionData): SessionData {
  const names = ["id_token", "access_token", "refresh_token", "token_type", "expires_at"] as const;
  return Object.fromEntries(names.flatMap((name) => (data[name] === undefined ? [] : [[name, data[name]]])));
}
