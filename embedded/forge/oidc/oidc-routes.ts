import { IncomingMessage } from "node:http";
import express, { type NextFunction, type Request, type Response, Router } from "express";
import type Provider from "oidc-provider";
import { checkAccess } from "../access/check-access.ts";
import type { ForgeContext } from "../forge-context.ts";
import { contentSecurity } from "../pages/content-security.ts";

const maxBody = 56 * 1024; // the library's own
const handled = [
  /^\/oauth\/(authorize|token|userinfo|revoke|introspect|authorize_device|device|end_session)(\/|$)/,
  /^\/\.well-known\/(openid-configuration|oauth-authorization-server)$/,
];

/** GitLab's addresses of OAuth 2 and OpenID Connect, but for the pages on which people answer. */
export function oidcRoutes(context: ForgeContext, provider: Provider): Router {
  const routes = Router({ caseSensitive: true });
  const answer = provider.callback();

  routes.get("/oauth/token/info", (request, response) => {
    const value = /^Bearer +(\S+)$/i.exec(request.get("authorization") ?? "")?.[1] ?? "";
    const check = checkAccess(context, value);
    const token = context.artifacts.find("AccessToken", value);
    if (check.kind !== "good" || !token) {
      response.status(401).json({
        error: "invalid_token",
        error_description: "The access token is invalid, or it has expired or was revoked",
      });
      return;
    }
    const expiresIn = (token.exp ?? 0) - Math.floor(Date.now() / 1_000);
    response.json({
      resource_owner_id: check.user.id,
      scope: check.scopes,
      expires_in: expiresIn,
      application: { uid: token.clientId },
      created_at: token.iat,
      scopes: check.scopes,
      expires_in_seconds: expiresIn,
    });
  });

  const json = express.raw({ type: "application/json", limit: maxBody });
  routes.use((request: Request, response: Response, next: NextFunction) => {
    if (!handled.some((pattern) => pattern.test(request.path))) next();
    else
      contentSecurity(request, response, (error?: unknown) =>
        error ? next(error) : json(request, response, next),
      );
  });
  routes.use(async (request: Request, response: Response, next: NextFunction) => {
    if (!handled.some((pattern) => pattern.test(request.path))) return next();
    await answer(request.is("application/json") ? asForm(request) : request, response);
  });
  return routes;
}

/** GitLab takes JSON where OAuth has forms: the same request with its parameters as a form. */
function asForm(request: Request): IncomingMessage {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters(request.body))) {
    if (["string", "number", "boolean"].includes(typeof value)) form.append(name, String(value));
  }
  const body = Buffer.from(form.toString());
  const copy = new IncomingMessage(request.socket);
  const { "transfer-encoding": _chunked, ...headers } = request.headers;
  copy.headers = {
    ...headers,
    "content-type": "application/x-www-form-urlencoded",
    "content-length": String(body.length),
  };
  copy.method = request.method;
  copy.url = request.url;
  copy.httpVersion = request.httpVersion;
  copy.complete = true; // else its end would end the connection
  copy.push(body);
  copy.push(null);
  return copy;
}

function parameters(body: unknown): object {
  if (!(body instanceof Buffer)) return {};
  try {
    const value: unknown = JSON.parse(body.toString("utf8"));
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {}; // then what is needed is missing, and the library says what
  }
}
