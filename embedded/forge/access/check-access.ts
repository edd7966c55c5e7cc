import type { ForgeContext } from "../forge-context.ts";
import type { TokenRecord, UserRecord } from "../store/records.ts";
import { checkToken } from "../tokens/access-token.ts";

export type AccessCheck =
  /** `token`: for a personal or project access token; one that an application was given has none. */
  | { kind: "good"; user: UserRecord; scopes: readonly string[]; token: TokenRecord | undefined }
  | { kind: "unknown" | "revoked" | "expired" | "blocked" };

/** Who an access token belongs to, whoever was given it: a person, or an application that a person has signed in to. */
export function checkAccess(context: ForgeContext, value: string): AccessCheck {
  const check = checkToken(context.store, value, context.clock());
  if (check.kind === "unknown") return checkApplicationToken(context, value);
  return check.kind === "good" ? { ...check, scopes: check.token.scopes } : check;
}

function checkApplicationToken({ artifacts, store }: ForgeContext, value: string): AccessCheck {
  const token = artifacts.find("AccessToken", value);
  const user = token && store.users.get(Number(token.accountId));
  if (!user || !store.applicationsByClient.first(token.clientId ?? "")) return { kind: "unknown" };
  if ((token.exp ?? 0) * 1_000 <= Date.now()) return { kind: "expired" };
  if (user.state !== "active") return { kind: "blocked" };
  return { kind: "good", user, scopes: token.scope?.split(" ") ?? [], token: undefined };
}
