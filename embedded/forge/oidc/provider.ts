import Provider, { type Account, type Configuration, type KoaContextWithOIDC } from "oidc-provider";
import type { ForgeContext } from "../forge-context.ts";
import { hashSecret } from "./application.ts";
import { artifactAdapter } from "./artifact-adapter.ts";
import { endGrants } from "./end-session.ts";
import { oauthScopes } from "./oauth-scopes.ts";
import { deviceFlow, logout, renderError } from "./provider-pages.ts";
import { claimsOfScopes, userClaims } from "./user-claims.ts";

const minuteS = 60;
const dayS = 24 * 60 * minuteS;
/** How long things are good for, in seconds. */
export const lifetimeS = {
  AccessToken: 120 * minuteS, // GitLab's
  AuthorizationCode: minuteS,
  DeviceCode: 10 * minuteS,
  IdToken: 2 * minuteS, // GitLab's: it only says who has just signed in
  Interaction: 30 * minuteS, // to find one's password
  Session: 7 * dayS, // since it was used last; GitLab's
  RefreshToken: 90 * dayS, // since the last refresh
  Grant: 365 * dayS, // nobody stays signed in longer without a sign-in
};

/** GitLab's addresses. */
const routes = {
  authorization: "/oauth/authorize",
  token: "/oauth/token",
  userinfo: "/oauth/userinfo",
  revocation: "/oauth/revoke",
  introspection: "/oauth/introspect",
  jwks: "/oauth/discovery/keys",
  device_authorization: "/oauth/authorize_device",
  code_verification: "/oauth/device",
  end_session: "/oauth/end_session",
};

/** Where somebody answers what an application makes us ask: who they are, and whether they agree. */
export const interactionPath = "/oauth/interaction";

/** The forge as provider of OAuth 2 and OpenID Connect. `context.url` is known by now: it is the issuer. */
export function makeProvider(context: ForgeContext): Provider {
  const { logger } = context;
  const provider = new Provider(context.url, configuration(context));
  provider.proxy = true; // `asAskedFrom` says under which address we are reached, nobody else can
  Object.assign(provider.Client.prototype, {
    // What stands in `clientSecret` is the hash; comparing hashes tells nothing by the time it takes.
    async compareClientSecret(this: { clientSecret?: string }, given: string): Promise<boolean> {
      return this.clientSecret === hashSecret(given);
    },
  });
  provider.use(async (koa, next) => {
    await next();
    await complete(context, koa as KoaContextWithOIDC);
  });
  provider.on("server_error", (koa, error) => {
    logger.error({ err: error, path: koa.path }, "a sign-in failed");
  });
  return provider;
}

/** What GitLab does beyond the library. */
async function complete(context: ForgeContext, koa: KoaContextWithOIDC): Promise<void> {
  const { body, path, status, oidc } = koa;
  if (path === routes.revocation && status === 200) koa.body = {};
  if (path === routes.token && status === 200 && typeof body === "object" && body !== null) {
    Object.assign(body, { created_at: Math.floor(Date.now() / 1_000) });
    const { RotatedRefreshToken: rotated, AccessToken: token } = oidc.entities;
    // A refreshed token takes the place of the one before.
    if (rotated?.grantId && token) {
      await context.artifacts.removeOlderAccessTokens(rotated.grantId, token.jti);
    }
  }
  const isSignedOut = path === `${routes.end_session}/confirm` && status === 303 && oidc.params?.["logout"];
  if (isSignedOut && oidc.session) await endGrants(context, oidc.session);
}

function configuration(context: ForgeContext): Configuration {
  const { signingKeys, cookieKeys } = context;
  const cookie = { signed: true, httpOnly: true, sameSite: "lax", path: "/" } as const;
  return {
    adapter: artifactAdapter(context),
    jwks: { keys: signingKeys.all } as NonNullable<Configuration["jwks"]>,
    cookies: {
      names: {
        session: "dtaas_forge_session",
        interaction: "dtaas_forge_interaction",
        resume: "dtaas_forge_resume",
      },
      keys: [cookieKeys.cookies],
      long: cookie,
      short: { signed: true, httpOnly: true, sameSite: "lax" },
    },
    routes,
    scopes: oauthScopes,
    claims: claimsOfScopes,
    conformIdTokenClaims: false, // GitLab tells the address in the ID token as well
    responseTypes: ["code"],
    clientAuthMethods: ["client_secret_basic", "client_secret_post", "none"],
    clientBasedCORS: () => false,
    ttl: lifetimeS,
    findAccount: (_koa, id) => findAccount(context, id),
    interactions: { url: (_koa, interaction) => `${interactionPath}/${interaction.uid}` },
    loadExistingGrant: (koa) => existingGrant(context, koa),
    // With GitLab every sign-in can be refreshed, and signing out of the browser ends no token by itself.
    issueRefreshToken: async (_koa, client) => client.grantTypeAllowed("refresh_token"),
    expiresWithSession: async () => false,
    rotateRefreshToken: true,
    pkce: { required: (_koa, client) => client.clientAuthMethod === "none" },
    renderError: renderError(context),
    features: {
      devInteractions: { enabled: false },
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      resourceIndicators: { enabled: false },
      introspection: {
        enabled: true,
        allowedPolicy: (_koa, client, token) => token.clientId === client.clientId,
      },
      revocation: {
        enabled: true,
        allowedPolicy: (_koa, client, token) => token.clientId === client.clientId,
      },
      deviceFlow: { enabled: true, ...deviceFlow(context) },
      rpInitiatedLogout: { enabled: true, ...logout(context) },
    },
  };
}

/** Bots of projects have tokens, nobody signs in as them. */
function findAccount(context: ForgeContext, id: string): Account | undefined {
  const user = context.store.users.get(Number(id));
  if (user?.state !== "active" || user.botOfProject !== undefined) return undefined;
  return { accountId: id, claims: (use) => userClaims(context, user, use) };
}

/** What was agreed to in this browser before. The platform's own applications may have what they are registered for. */
async function existingGrant({ store }: ForgeContext, { oidc }: KoaContextWithOIDC) {
  const { client, session, account, result, provider } = oidc;
  if (!client) return undefined;
  const known = result?.consent?.grantId ?? session?.grantIdFor(client.clientId);
  const grant = known === undefined ? undefined : await provider.Grant.find(known);
  const application = store.applicationsByClient.first(client.clientId);
  if (!application?.trusted || !account) return grant;
  const given = grant ?? new provider.Grant({ accountId: account.accountId, clientId: client.clientId });
  given.addOIDCScope(application.scopes.join(" "));
  await given.save();
  return given;
}
