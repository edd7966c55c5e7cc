import { type Request, type RequestHandler, type Response, Router } from "express";
import openIdConnect from "express-openid-connect";
import { ActionNeededError, messageOf, TryLaterError } from "#core/errors";
import type { Logger } from "#core/logger";
import type { SignInConfig } from "../config.ts";
import type { Forge, ForgeUser } from "../forge/forge.ts";
import { type Caller, type Callers, tokenOf } from "./caller.ts";
import { ExpiringCache } from "./expiring-cache.ts";
import { checkOwnPage } from "./own-page.ts";
import { RefreshOnce } from "./refresh-once.ts";
import { revokeTokens } from "./revoke-tokens.ts";
import { type SessionData, SessionStore, tokensOf } from "./session-store.ts";

const { auth } = openIdConnect; // it is CommonJS: named imports of it fail at run time

const idleS = 24 * 60 * 60; // a browser that was not used for a day signs in anew
const longestS = 7 * idleS;
const sweepEveryMs = 60 * 60_000;
const refreshBeforeS = 60; // a token that ends within this time is refreshed first
const httpTimeoutMs = 10_000;
const userForMs = 60_000; // as for tokens: an account that was closed is refused after at most this long
const maxUsers = 10_000;
const retryAfterMs = 5_000;
const afterSignIn = "/api/v1/me";
const signInPath = "/auth/login";

export interface SignInParts {
  config: SignInConfig;
  /** Where people reach this platform. */
  publicUrl: string;
  forgeUrl: string;
  forge: Pick<Forge, "whoIs" | "findUser">;
  /** Where sessions are kept. */
  folder: string;
  logger: Logger;
}

/** Sign-in of browsers at an OpenID Connect provider. What somebody may do is the Git host's affair, as for tokens. */
export class SignIn {
  /** `/auth/login`, `/auth/callback`, `/auth/logout`; for other requests it reads the session, if there is one. */
  readonly handler: RequestHandler;
  readonly #parts: SignInParts;
  readonly #cookie: string;
  readonly #isGitHost: boolean;
  readonly #refreshes = new RefreshOnce<SessionData>();
  readonly #users: ExpiringCache<ForgeUser | undefined>;
  readonly #timer: NodeJS.Timeout;

  private constructor(parts: SignInParts, store: SessionStore) {
    const { config, publicUrl, forgeUrl, logger } = parts;
    this.#parts = parts;
    const isSafe = publicUrl.startsWith("https:");
    this.#cookie = isSafe ? "__Host-dtaas_session" : "dtaas_session";
    this.#isGitHost = withoutSlash(config.issuer) === withoutSlash(forgeUrl);
    this.#users = new ExpiringCache({ maxEntries: maxUsers });
    this.handler = this.#makeHandler(store);
    this.#timer = setInterval(() => {
      store
        .sweep(longestS)
        .catch((error) => logger.warn({ err: messageOf(error) }, "old sessions stay for now"));
    }, sweepEveryMs);
    this.#timer.unref();
  }

  static async open(parts: SignInParts): Promise<SignIn> {
    return new SignIn(parts, await SessionStore.open(parts.folder, parts.config.sessionSecret));
  }

  /**
   * Who is signed in with the browser that sends this; `undefined` for nobody. `FOREIGN_REQUEST` when another page makes the browser
   * ask, `SIGN_IN_OVER` when the sign-in has ended at the provider, `TryLaterError` when that cannot be found out.
   */
  async caller(request: Request, callers: Pick<Callers, "find">): Promise<Caller | undefined> {
    if (!request.oidc?.isAuthenticated()) return undefined;
    checkOwnPage(request, new URL(this.#parts.publicUrl).origin);
    const caller = this.#isGitHost ? await this.#byToken(request, callers) : await this.#byName(request);
    if (caller) return caller;
    this.#forget(request);
    throw new ActionNeededError("SIGN_IN_OVER", "this sign-in has ended", {
      hint: `sign in again: ${signInPath}`,
    });
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #byToken(request: Request, callers: Pick<Callers, "find">): Promise<Caller | undefined> {
    const { accessToken, refreshToken } = request.oidc;
    if (!accessToken) return undefined;
    if (accessToken.expires_in > refreshBeforeS || refreshToken === undefined) {
      return await callers.find(accessToken.access_token);
    }
    const tokens = await this.#refreshed(request, refreshToken);
    return tokens?.access_token === undefined ? undefined : await callers.find(tokens.access_token);
  }

  async #refreshed(request: Request, refreshToken: string): Promise<SessionData | undefined> {
    const session = this.#session(request);
    try {
      const tokens = await this.#refreshes.run(refreshToken, async () => {
        await request.oidc.accessToken?.refresh();
        return tokensOf(this.#session(request));
      });
      Object.assign(session, tokens); // also of a request that somebody else's refresh was for
      return tokens;
    } catch (error) {
      if (isRefusal(error)) return undefined;
      throw new TryLaterError("the sign-in cannot be renewed: its provider does not answer", {
        retryAfterMs,
        cause: error,
      });
    }
  }

  /** The provider is not the Git host: its word for the user name is taken, and its tokens are nothing to the Git host. */
  async #byName(request: Request): Promise<Caller | undefined> {
    const { usernameClaim } = this.#parts.config;
    const name: unknown =
      usernameClaim === undefined ? undefined : request.oidc.idTokenClaims?.[usernameClaim];
    const user = typeof name === "string" ? await this.#user(name) : undefined;
    return (
      user && {
        user,
        get token(): string {
          throw new ActionNeededError("HOST_TOKEN_NEEDED", "the Git host has to know who does this", {
            hint: "you have signed in elsewhere: send a personal access token of the Git host instead",
          });
        },
      }
    );
  }

  async #user(name: string): Promise<ForgeUser | undefined> {
    const { forge } = this.#parts;
    return await this.#users.get(
      name,
      () => forge.findUser(name),
      () => userForMs,
    );
  }

  #makeHandler(store: SessionStore): RequestHandler {
    const openId = this.#openId(store);
    const routes = Router({ caseSensitive: true });
    routes.use(openId);
    routes.get(signInPath, async (request, response) => {
      await response.oidc.login({ returnTo: localPath(request.query["return_to"], this.#parts.publicUrl) });
    });
    routes.get("/auth/logout", (request, response) => this.#logOut(request, response));
    routes.post("/auth/logout", (request, response) => this.#logOut(request, response));
    routes.use((error: unknown, request: Request, _response: Response, next: (error?: unknown) => void) => {
      next(request.path.startsWith("/auth/") ? signInFailed(error) : error);
    });
    return (request, response, next) => {
      const isOurs = request.path.startsWith("/auth/");
      const isSession =
        tokenOf(request.headers) === undefined && request.headers.cookie?.includes(this.#cookie);
      if (isOurs || isSession) routes(request, response, next);
      else next();
    };
  }

  #openId(store: SessionStore): RequestHandler {
    const { config, publicUrl } = this.#parts;
    return auth({
      issuerBaseURL: config.issuer,
      baseURL: publicUrl,
      clientID: config.clientId,
      clientSecret: config.clientSecret,
      secret: config.sessionSecret,
      authRequired: false,
      idpLogout: true,
      enableTelemetry: false,
      legacySameSiteCookie: false,
      httpTimeout: httpTimeoutMs,
      authorizationParams: {
        response_type: "code", // with PKCE
        // Of the Git host we want a token with which people change things in their own name.
        scope: this.#isGitHost ? "openid profile email api" : "openid profile email",
      },
      routes: { login: false, logout: false, callback: "/auth/callback", postLogoutRedirect: "/" },
      transactionCookie: { name: "dtaas_sign_in", sameSite: "Lax" },
      session: {
        name: this.#cookie,
        rollingDuration: idleS,
        absoluteDuration: longestS,
        signSessionStoreCookie: true,
        requireSignedSessionStoreCookie: true,
        cookie: { httpOnly: true, sameSite: "Lax" },
        store: storeFor(store),
      },
      afterCallback: async (_request, _response, session) => {
        await this.#checkKnown(session);
        return session;
      },
    });
  }

  /** Somebody whom the Git host does not know is told so at once. */
  async #checkKnown(session: SessionData): Promise<void> {
    const { forge, config } = this.#parts;
    const claims = claimsOf(session.id_token);
    const name: unknown = config.usernameClaim === undefined ? undefined : claims[config.usernameClaim];
    const user = this.#isGitHost
      ? await forge.whoIs(String(session.access_token))
      : typeof name === "string" && (await forge.findUser(name));
    if (user) return;
    throw new ActionNeededError("SIGN_IN_FAILED", "the Git host does not know whoever has signed in", {
      hint: this.#isGitHost
        ? "allow the scope `api` for the platform's application on the Git host"
        : `the claim ${config.usernameClaim ?? ""} has to be a user name on the Git host`,
    });
  }

  async #logOut(request: Request, response: Response): Promise<void> {
    if (request.method === "POST") checkOwnPage(request, new URL(this.#parts.publicUrl).origin);
    else if (!["same-origin", "none", undefined].includes(request.get("sec-fetch-site"))) {
      throw new ActionNeededError("FOREIGN_REQUEST", "another page cannot sign you out", {
        hint: "open this address yourself",
      });
    }
    const { config, logger } = this.#parts;
    const tokens = tokensOf(this.#session(request));
    try {
      const hasEnd = await revokeTokens(config, tokens);
      if (hasEnd) return await response.oidc.logout({ returnTo: "/" });
    } catch (error) {
      logger.warn(
        { err: messageOf(error) },
        "tokens of a sign-in could not be taken back; they end by themselves",
      );
    }
    this.#forget(request);
    response.redirect(303, "/");
  }

  #session(request: Request): SessionData {
    return ((request as unknown as Record<string, unknown>)[this.#cookie] ?? {}) as SessionData;
  }

  #forget(request: Request): void {
    (request as unknown as Record<string, unknown>)[this.#cookie] = undefined;
  }
}

/** The library wants functions of their own, and looks at how they are written. */
function storeFor(store: SessionStore) {
  return {
    get: async (id: string) => await store.get(id),
    set: async (id: string, session: Parameters<SessionStore["set"]>[1]) => await store.set(id, session),
    destroy: async (id: string) => await store.destroy(id),
  } as never;
}

/** The provider has said no, for good. */
function isRefusal(error: unknown): boolean {
  const { status, error: code } = (error ?? {}) as { status?: unknown; error?: unknown };
  return typeof code === "string" && (status === 400 || status === 401);
}

function signInFailed(error: unknown): unknown {
  if (error instanceof ActionNeededError || error instanceof TryLaterError) return error;
  const { status, error_description: said } = (error ?? {}) as {
    status?: unknown;
    error_description?: unknown;
  };
  if (status === 400) {
    const why = typeof said === "string" ? said : messageOf(error);
    return new ActionNeededError("SIGN_IN_FAILED", `signing in did not work: ${why}`, {
      hint: `begin again: ${signInPath}`,
      cause: error,
    });
  }
  return new TryLaterError("the provider of the sign-in cannot be reached", { retryAfterMs, cause: error });
}

function claimsOf(idToken: string | undefined): Record<string, unknown> {
  const payload = idToken?.split(".")[1];
  if (payload === undefined) return {};
  return JSON.parse(Buffer.from(payload, "base64url").toString("utf8")) as Record<string, unknown>;
}

/** A path of this platform; the first one after a sign-in for anything that leads elsewhere. */
function localPath(text: unknown, publicUrl: string): string {
  const { origin } = new URL(publicUrl);
  if (typeof text !== "string" || !text.startsWith("/") || !URL.canParse(text, origin)) return afterSignIn;
  const url = new URL(text, origin);
  return url.origin === origin ? url.pathname + url.search : afterSignIn;
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, "");
}
