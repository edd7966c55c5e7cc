import { createHash, randomBytes } from "node:crypto";
import type { AllClientMetadata } from "oidc-provider";
import { badRequest } from "../http/api-error.ts";
import type { ApplicationRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { oauthScopes } from "./oauth-scopes.ts";

const maxRedirects = 20; // addresses of one application
const maxNameLength = 255;
export const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code";

export interface NewApplication {
  name: string;
  redirectUris: string[];
  scopes: string[];
  confidential: boolean;
  /** Users are not asked whether they agree: it is the platform's own. */
  trusted: boolean;
}

/** Makes an application and tells its secret this once; only a hash is kept. Throws `ApiError` 400 in GitLab's words. */
export async function createApplication(
  store: Store,
  wanted: NewApplication,
  now: Date,
): Promise<{ application: ApplicationRecord; secret: string }> {
  check(wanted);
  const secret = newSecret();
  const application = await store.applications.insert((id) => ({
    id,
    ...wanted,
    clientId: randomBytes(32).toString("hex"),
    secretHash: hashSecret(secret),
    createdAt: now.toISOString(),
  }));
  return { application, secret };
}

export async function renewSecret(store: Store, application: ApplicationRecord): Promise<string> {
  const secret = newSecret();
  await store.applications.update(application.id, { secretHash: hashSecret(secret) });
  return secret;
}

/** How the library knows an application. In the place of its secret stands the hash. */
export function clientMetadata(application: ApplicationRecord): AllClientMetadata {
  return {
    client_id: application.clientId,
    client_secret: application.secretHash,
    client_name: application.name,
    redirect_uris: application.redirectUris,
    // Where somebody may be sent after signing out: the first page of where they are sent after signing in.
    post_logout_redirect_uris: [...new Set(application.redirectUris.map((uri) => `${new URL(uri).origin}/`))],
    grant_types: ["authorization_code", "refresh_token", deviceGrant],
    response_types: ["code"],
    scope: application.scopes.join(" "),
    token_endpoint_auth_method: application.confidential ? "client_secret_basic" : "none",
  };
}

/** A secret is 256 random bits, so a plain hash cannot be turned back. */
export function hashSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

function newSecret(): string {
  return `gloas-${randomBytes(32).toString("hex")}`;
}

function check(wanted: NewApplication): void {
  const problems: Record<string, string[]> = {};
  if (wanted.name.length > maxNameLength) {
    problems["name"] = [`is too long (maximum is ${maxNameLength} characters)`];
  }
  if (wanted.redirectUris.length > maxRedirects) problems["redirect_uri"] = ["has too many addresses"];
  if (!wanted.redirectUris.every(isRedirectUri))
    problems["redirect_uri"] = ["must be an http(s) URI without a fragment."];
  const known: readonly string[] = oauthScopes;
  if (!wanted.scopes.every((scope) => known.includes(scope))) {
    problems["scopes"] = ["doesn't match configured on the server."];
  }
  if (Object.keys(problems).length > 0) throw badRequest(problems);
}

function isRedirectUri(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hash, username, password } = new URL(text);
  return (
    /^https?:$/.test(protocol) && hash === "" && !text.endsWith("#") && username === "" && password === ""
  );
}
