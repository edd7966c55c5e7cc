import { createHash, randomBytes } from "node:crypto";
import type { TokenRecord, UserRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";

export const tokenScopes = [
  "api",
  "read_api",
  "read_user",
  "read_repository",
  "write_repository",
  "create_runner",
  "manage_runner",
  "sudo",
  "admin_mode",
  "self_rotate",
] as const;

const usePersistedEveryMs = 10 * 60_000; // `last_used_at` is told to the disk no more often than this

/** Makes a token and tells it this once; only its hash is kept. */
export async function createToken(
  store: Store,
  token: { userId: number; name: string; description?: string; scopes: string[]; expiresOn?: string },
  options: { now: Date; value?: string },
): Promise<{ record: TokenRecord; value: string }> {
  const value = options.value ?? `glpat-${randomBytes(24).toString("base64url")}`;
  const record = await store.tokens.insert((id) => ({
    id,
    userId: token.userId,
    name: token.name,
    description: token.description ?? null,
    scopes: token.scopes,
    hash: hashToken(value),
    revoked: false,
    createdAt: options.now.toISOString(),
    expiresOn: token.expiresOn ?? null,
    lastUsedAt: null,
  }));
  return { record, value };
}

export type TokenCheck =
  | { kind: "good"; token: TokenRecord; user: UserRecord }
  | { kind: "unknown" | "revoked" | "expired" | "blocked" };

/** Who a token belongs to, and whether it is still good. */
export function checkToken(store: Store, value: string, now: Date): TokenCheck {
  const token = store.tokensByHash.first(hashToken(value));
  const user = token && store.users.get(token.userId);
  if (!token || !user) return { kind: "unknown" };
  if (token.revoked) return { kind: "revoked" };
  if (hasExpired(token, now)) return { kind: "expired" };
  if (user.state !== "active") return { kind: "blocked" };
  const lastUsedMs = token.lastUsedAt === null ? 0 : Date.parse(token.lastUsedAt);
  if (now.getTime() - lastUsedMs > usePersistedEveryMs) {
    // A lost note of use harms nobody, so nobody waits for it.
    store.tokens.update(token.id, { lastUsedAt: now.toISOString() }).catch(() => {});
  }
  return { kind: "good", token, user };
}

/** Expiry is at midnight UTC of that day. */
export function hasExpired(token: TokenRecord, now: Date): boolean {
  return token.expiresOn !== null && Date.parse(token.expiresOn) <= now.getTime();
}

/** A token is 192 random bits, so a plain hash cannot be turned back; being looked up by hash leaks no timing. */
export function hashToken(value: string): string {
  return createHash("sha256").update(value).digest("hex");
}
