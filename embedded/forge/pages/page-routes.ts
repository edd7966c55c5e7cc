import express, { type NextFunction, type Request, type Response, Router } from "express";
import type { ForgeContext } from "../forge-context.ts";
import { asAskedFrom } from "../oidc/as-asked-from.ts";
import { oidcRoutes } from "../oidc/oidc-routes.ts";
import { makeProvider } from "../oidc/provider.ts";
import { Sessions, sessionUser } from "../oidc/sessions.ts";
import { answerPageErrors } from "./answer-page-errors.ts";
import { contentSecurity } from "./content-security.ts";
import { Forms } from "./forms.ts";
import { homePage } from "./home-page.ts";
import { stylesheetPath } from "./page.ts";
import { PageError } from "./page-error.ts";
import { projectPages } from "./project-pages.ts";
import { signInRoutes } from "./sign-in-routes.ts";
import { stylesheet } from "./stylesheet.ts";

const maxForm = "1mb"; // a long comment; more is no comment
const loopback = new Set(["127.0.0.1", "localhost", "[::1]"]);

/** What people see with a browser: sign-in, and everything that only members may look at. */
export function pageRoutes(context: ForgeContext): Router {
  const routes = Router({ caseSensitive: true });
  const provider = makeProvider(context);
  const sessions = new Sessions(context, provider);
  const forms = new Forms(context, provider);
  routes.get(stylesheetPath, (_request, response) => {
    response.type("css").set("cache-control", "public, max-age=3600").send(stylesheet);
  });
  routes.use(toOneHost(context), asAskedFrom(context), oidcRoutes(context, provider));
  routes.use(contentSecurity);
  routes.use(express.urlencoded({ extended: false, limit: maxForm, parameterLimit: 200 }));
  routes.use(async (request: Request, response: Response, next: NextFunction) => {
    await sessions.read(request, response);
    next();
  });
  routes.use(signInRoutes({ context, provider, sessions, forms }));
  routes.use(homePage(context, forms), projectPages(context, forms), nothingThere);
  routes.use(answerPageErrors(context.logger));
  return routes;
}

/**
 * A browser is asked to sign in first, since there may be more for members; programs go on. A stranger cannot tell a private
 * project from none.
 */
function nothingThere(request: Request, response: Response, next: NextFunction): void {
  if (
    request.path.startsWith("/api/") ||
    !request.accepts("html") ||
    !request.get("accept")?.includes("html")
  ) {
    next();
  } else if (request.method === "GET" && !sessionUser(request)) {
    response.redirect(303, `/users/sign_in?${new URLSearchParams({ return_to: request.originalUrl })}`);
  } else throw new PageError(404, "There is no such page", "It may be gone, or you may not see it.");
}

/** This machine has several names, and a cookie belongs to one of them: browsers are led to the one we call ourselves. */
function toOneHost(context: ForgeContext) {
  const { host, hostname, port } = new URL(context.url);
  return (request: Request, response: Response, next: NextFunction): void => {
    const asked = request.headers.host ?? host;
    const isAlias = loopback.has(asked.replace(/:\d+$/, "")) && asked.endsWith(`:${port}`);
    const isPage =
      request.method === "GET" && request.accepts("html") && !request.path.startsWith("/.well-known/");
    if (asked !== host && loopback.has(hostname) && isAlias && isPage) {
      response.redirect(307, context.url + request.originalUrl);
    } else next();
  };
}
