import type { Request } from "express";
import { checkAccess } from "../access/check-access.ts";
import { checkDeployToken } from "../deploy-tokens/deploy-token.ts";
import type { ForgeContext } from "../forge-context.ts";
import type { DeployTokenRecord, UserRecord } from "../store/records.ts";

/** Reads what its scopes and place allow; no user stands behind it. */
export interface GitDeployToken {
  deployToken: DeployTokenRecord;
}

export interface GitCaller {
  user: UserRecord;
  /** `undefined` after a sign-in by password, which may do everything. */
  scopes: readonly string[] | undefined;
}

/**
 * Who speaks Git, by Basic authentication: any user name (`oauth2` is usual) with an access token as the password, or a user
 * name with its password, be it a user's or a deploy token's. `undefined` for wrong credentials, `"stranger"` for none.
 */
export async function gitCaller(
  context: ForgeContext,
  request: Request,
): Promise<GitCaller | GitDeployToken | "stranger" | undefined> {
  const encoded = /^Basic +([A-Za-z0-9+/=_-]+)$/i.exec(request.get("authorization") ?? "")?.[1];
  if (encoded === undefined) return request.get("authorization") ? undefined : "stranger";
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  const username = text.slice(0, Math.max(colon, 0));
  const password = text.slice(colon + 1);
  if (username === "" || password === "") return undefined;
  const check = checkAccess(context, password);
  if (check.kind === "good") return { user: check.user, scopes: check.scopes };
  const deployToken = checkDeployToken(context.store, username, password, context.clock());
  if (deployToken) return { deployToken };
  if (check.kind !== "unknown") return undefined;
  const user = await context.passwords.signIn(request.ip ?? "", username, password);
  return user && { user, scopes: undefined };
}
