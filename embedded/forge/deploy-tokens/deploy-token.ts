import { randomBytes } from "node:crypto";
import { withAncestors } from "../access/rights.ts";
import type { DeployTokenRecord, ProjectRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { hashToken } from "../tokens/access-token.ts";

export const deployTokenScopes = [
  "read_repository",
  "read_registry",
  "write_registry",
  "read_package_registry",
  "write_package_registry",
  "read_virtual_registry",
  "write_virtual_registry",
] as const;

export interface NewDeployToken {
  name: string;
  scopes: string[];
  /** `gitlab+deploy-token-<id>` when nothing is said. */
  username?: string;
  expiresAt?: string;
  source: DeployTokenRecord["source"];
  sourceId: number;
}

/** Makes a token that reads the repository of one project, or of all in a group, and tells it this once. */
export async function createDeployToken(
  store: Store,
  wanted: NewDeployToken,
  now: Date,
): Promise<{ record: DeployTokenRecord; value: string }> {
  const value = `gldt-${randomBytes(24).toString("base64url")}`;
  const record = await store.deployTokens.insert((id) => ({
    id,
    name: wanted.name,
    username: wanted.username ?? `gitlab+deploy-token-${id}`,
    scopes: wanted.scopes,
    hash: hashToken(value),
    source: wanted.source,
    sourceId: wanted.sourceId,
    createdAt: now.toISOString(),
    expiresAt: wanted.expiresAt ?? null,
  }));
  return { record, value };
}

/** The token with this user name and value, unless it has expired. */
export function checkDeployToken(
  store: Store,
  username: string,
  value: string,
  now: Date,
): DeployTokenRecord | undefined {
  const token = store.deployTokensByHash.first(hashToken(value));
  return token && token.username === username && !deployTokenExpired(token, now) ? token : undefined;
}

export function deployTokenExpired(token: DeployTokenRecord, now: Date): boolean {
  return token.expiresAt !== null && Date.parse(token.expiresAt) <= now.getTime();
}

/** True for the token's own project, and for every project in the token's group. */
export function deployTokenReaches(store: Store, token: DeployTokenRecord, project: ProjectRecord): boolean {
  if (token.source === "project") return token.sourceId === project.id;
  return withAncestors(store, project.namespaceId).some((group) => group.id === token.sourceId);
}
