import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Request, Response } from "express";
import type Provider from "oidc-provider";
import type { ForgeContext } from "../forge-context.ts";
import { browserSession } from "../oidc/sessions.ts";
import { PageError } from "./page-error.ts";

const cookieName = "dtaas_forge_form";

/** Tells forms of our own pages from those that another page has sent in somebody's name. */
export class Forms {
  readonly #context: ForgeContext;
  readonly #provider: Provider;

  constructor(context: ForgeContext, provider: Provider) {
    this.#context = context;
    this.#provider = provider;
  }

  /** What a form on this page has to carry. It is good for this sign-in only, or for this stranger's browser. */
  token(request: Request, response: Response): string {
    const session = browserSession(request);
    if (session) return this.#sign(`session:${session.uid}`);
    const known = this.#strangersCookie(request, response);
    const value = known ?? randomBytes(18).toString("base64url");
    if (known === undefined) {
      const koa = this.#provider.createContext(request, response);
      koa.cookies.secure = koa.secure;
      koa.cookies.set(cookieName, value, { signed: true, httpOnly: true, sameSite: "lax", path: "/" });
    }
    return this.#sign(`stranger:${value}`);
  }

  /** Throws `PageError` 403 for a form that is not of our pages, or of a sign-in that is over. */
  check(request: Request, response: Response): void {
    const site = request.get("sec-fetch-site");
    const origin = request.get("origin");
    const isFromElsewhere =
      (site !== undefined && site !== "same-origin" && site !== "none") ||
      (origin !== undefined && origin !== "null" && origin !== new URL(this.#context.url).origin);
    const session = browserSession(request);
    const stranger = this.#strangersCookie(request, response);
    const expected = session
      ? this.#sign(`session:${session.uid}`)
      : stranger && this.#sign(`stranger:${stranger}`);
    const given: unknown = (request.body as Record<string, unknown> | undefined)?.["authenticity_token"];
    if (isFromElsewhere || expected === undefined || typeof given !== "string" || !equal(given, expected)) {
      throw new PageError(
        403,
        "This form is out of date",
        "Go back, load the page again, and send it once more.",
      );
    }
  }

  #strangersCookie(request: Request, response: Response): string | undefined {
    return this.#provider.createContext(request, response).cookies.get(cookieName, { signed: true });
  }

  #sign(text: string): string {
    return createHmac("sha256", this.#context.cookieKeys.forms).update(text).digest("base64url");
  }
}

function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
