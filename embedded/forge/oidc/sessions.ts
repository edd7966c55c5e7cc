import type { Request, Response } from "express";
import type Provider from "oidc-provider";
import type { ForgeContext } from "../forge-context.ts";
import type { UserRecord } from "../store/records.ts";
import { endSession } from "./end-session.ts";
import { lifetimeS } from "./provider.ts";

/** Who is signed in with a browser, and what tells this sign-in from others. */
export interface BrowserSession {
  user: UserRecord;
  uid: string;
}

const found = new WeakMap<Request, BrowserSession>();

/** Who is signed in with the browser that sends this; `undefined` for a stranger. Known once `Sessions.read` has run. */
export function sessionUser(request: Request): UserRecord | undefined {
  return found.get(request)?.user;
}

export function browserSession(request: Request): BrowserSession | undefined {
  return found.get(request);
}

/** The sign-in of browsers: one session for the pages and for all applications that let people sign in here. */
export class Sessions {
  readonly #context: ForgeContext;
  readonly #provider: Provider;

  constructor(context: ForgeContext, provider: Provider) {
    this.#context = context;
    this.#provider = provider;
  }

  async read(request: Request, response: Response): Promise<void> {
    if (!request.headers.cookie?.includes(this.#provider.cookieName("session"))) return;
    const session = await this.#session(request, response);
    const user =
      session.accountId === undefined ? undefined : this.#context.store.users.get(Number(session.accountId));
    if (user?.state === "active") found.set(request, { user, uid: session.uid });
  }

  /** The browser gets a new cookie, so that one that somebody has slipped in before is worth nothing. */
  async signIn(request: Request, response: Response, user: UserRecord): Promise<void> {
    const accountId = String(user.id);
    const before = await this.#session(request, response);
    const isAnothers = before.accountId !== undefined && before.accountId !== accountId;
    if (isAnothers) await endSession(this.#context, before);
    const session = isAnothers ? new this.#provider.Session() : before;
    session.loginAccount({ accountId, loginTs: Math.floor(Date.now() / 1_000), amr: ["pwd"] });
    if (session.exp !== undefined) session.resetIdentifier();
    await session.save(lifetimeS.Session);
    this.#setCookie(request, response, session.jti);
  }

  async signOut(request: Request, response: Response): Promise<void> {
    await endSession(this.#context, await this.#session(request, response));
    this.#setCookie(request, response, null);
  }

  async #session(request: Request, response: Response) {
    return await this.#provider.Session.get(this.#provider.createContext(request, response));
  }

  #setCookie(request: Request, response: Response, value: string | null): void {
    const koa = this.#provider.createContext(request, response);
    koa.cookies.secure = koa.secure;
    koa.cookies.set(this.#provider.cookieName("session"), value, {
      ...{ signed: true, httpOnly: true, sameSite: "lax", path: "/" },
      ...(value !== null && { expires: new Date(Date.now() + lifetimeS.Session * 1_000) }),
    });
  }
}
