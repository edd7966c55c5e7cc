import type { TokenRecord } from "../store/records.ts";
import { hasExpired } from "./access-token.ts";

export function tokenJson(token: TokenRecord, now: Date) {
  return {
    id: token.id,
    name: token.name,
    description: token.description,
    revoked: token.revoked,
    created_at: token.createdAt,
    scopes: token.scopes,
    user_id: token.userId,
    last_used_at: token.lastUsedAt,
    last_used_ips: [],
    active: !token.revoked && !hasExpired(token, now),
    expires_at: token.expiresOn,
  };
}
