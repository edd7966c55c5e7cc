import { createHash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { Forge, ForgeUser } from "../forge/forge.ts";
import { type CiJob, type CiTokens, looksLikeCiToken } from "./ci-token.ts";
import { ExpiringCache } from "./expiring-cache.ts";

const knownForMs = 60_000; // a revoked token is refused after at most this long
const unknownForMs = 5_000; // a client that repeats a bad token does not reach the forge each time
const maxTokens = 10_000;
const tokenPattern = /^[\x21-\x7e]{1,512}$/; // longer ones are no tokens of any forge

/** Who asks, with the token that proves it. The token is for the forge only. */
export interface Caller {
  user: ForgeUser;
  /** Of a job it is an ID token, with which the forge does nothing. */
  token: string;
  /** A job of a pipeline asks in the name of its user. It may do less than that user; see `decide`. */
  job?: CiJob;
}

/** The bearer token of a request: `Authorization: Bearer <token>` or `PRIVATE-TOKEN: <token>`. */
export function tokenOf(headers: IncomingHttpHeaders): string | undefined {
  const bearer = /^bearer +(.+)$/i.exec(headers.authorization ?? "")?.[1]?.trim();
  const single = headers["private-token"];
  return bearer ?? (typeof single === "string" && single !== "" ? single : undefined);
}

/** Finds out who a token belongs to. Keeps hashes of tokens, never tokens. */
export class Callers {
  readonly #forge: Pick<Forge, "whoIs">;
  readonly #ciTokens: Pick<CiTokens, "verify"> | undefined;
  readonly #known: ExpiringCache<ForgeUser | undefined>;

  /** `ciTokens` absent: jobs of pipelines are nobody. */
  constructor(forge: Pick<Forge, "whoIs">, ciTokens?: Pick<CiTokens, "verify">, nowMs?: () => number) {
    this.#forge = forge;
    this.#ciTokens = ciTokens;
    this.#known = new ExpiringCache({ maxEntries: maxTokens, ...(nowMs ? { nowMs } : {}) });
  }

  /**
   * `undefined` for a token that is no good. `TryLaterError` when the forge cannot be asked. `CI_TOKEN_REFUSED` for an ID token of a
   * job, which is checked each time, without the forge.
   */
  async find(token: string): Promise<Caller | undefined> {
    if (looksLikeCiToken(token)) return await this.#findJob(token);
    if (!tokenPattern.test(token)) return undefined;
    const user = await this.#known.get(
      keyOf(token),
      () => this.#forge.whoIs(token),
      (found) => (found ? knownForMs : unknownForMs),
    );
    return user ? { user, token } : undefined;
  }

  async #findJob(token: string): Promise<Caller | undefined> {
    if (!this.#ciTokens) return undefined;
    const job = await this.#ciTokens.verify(token);
    return { user: { ...job.user, name: job.user.username }, token, job };
  }

  /** True for a token that was good a moment ago, without asking the forge. */
  isRemembered(token: string): boolean {
    return this.#known.peek(keyOf(token)) !== undefined;
  }
}

function keyOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}
