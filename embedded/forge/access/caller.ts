import type { NextFunction, Request, Response } from "express";
import type { ForgeContext } from "../forge-context.ts";
import { ApiError, forbidden, unauthorized } from "../http/api-error.ts";
import type { TokenRecord, UserRecord } from "../store/records.ts";
import { checkAccess } from "./check-access.ts";

export interface Caller {
  user: UserRecord;
  scopes: readonly string[];
  /** `undefined` for an application that the user has signed in to. */
  token: TokenRecord | undefined;
}

const callers = new WeakMap<Request, Caller>();

/** Finds out who calls, before any body is read. A bad token is refused; none at all makes a stranger. */
export function authenticate(context: ForgeContext) {
  return (request: Request, _response: Response, next: NextFunction): void => {
    const value = tokenOf(request);
    if (value !== undefined) {
      const caller = callerFor(context, value);
      checkScope(request, caller.scopes);
      callers.set(request, actingAs(context, request, caller));
    }
    next();
  };
}

/** The caller, or `undefined` for a stranger. */
export function callerOf(request: Request): Caller | undefined {
  return callers.get(request);
}

/** Throws 401 for a stranger. */
export function requireCaller(request: Request): Caller {
  const caller = callers.get(request);
  if (!caller) throw unauthorized();
  return caller;
}

/** Throws 403 for everybody but administrators. */
export function requireAdmin(request: Request): Caller {
  const caller = requireCaller(request);
  if (!caller.user.isAdmin) throw forbidden();
  return caller;
}

/** The access token a request came with, wherever it stands. */
export function tokenOf(request: Request): string | undefined {
  const header = request.get("private-token");
  if (header) return header;
  const bearer = /^Bearer +(\S+)$/i.exec(request.get("authorization") ?? "")?.[1];
  if (bearer) return bearer;
  const query = request.query["private_token"] ?? request.query["access_token"];
  return typeof query === "string" && query !== "" ? query : undefined;
}

function callerFor(context: ForgeContext, value: string): Caller {
  const check = checkAccess(context, value);
  switch (check.kind) {
    case "good":
      return { user: check.user, scopes: check.scopes, token: check.token };
    case "unknown":
      throw unauthorized();
    case "blocked":
      throw forbidden("Your account has been blocked.");
    case "revoked":
      throw badToken("Token was revoked. You have to re-authorize from the user.");
    case "expired":
      throw badToken("Token is expired. You can either do re-authorization or token refresh.");
  }
}

function badToken(error_description: string): ApiError {
  return new ApiError(401, { error: "invalid_token", error_description });
}

/** `read_api` reads everything, `read_user` people, `read_repository` files; a token can always look at itself. */
function checkScope(request: Request, scopes: readonly string[]): void {
  const path = request.path;
  const reads = request.method === "GET" || request.method === "HEAD";
  const has = (scope: string) => scopes.includes(scope);
  if (has("api") || path.startsWith("/personal_access_tokens/self")) return;
  if (reads && has("read_api")) return;
  if (reads && has("read_user") && /^\/users?(\/|$)/.test(path)) return;
  if (reads && has("read_repository") && /^\/projects\/[^/]+\/repository\//.test(path)) return;
  throw new ApiError(403, {
    error: "insufficient_scope",
    error_description: "The request requires higher privileges than provided by the access token.",
    scope: reads ? "api read_api" : "api",
  });
}

/** `Sudo: <id or user name>`: an administrator with a `sudo` token acts as somebody else. */
function actingAs(context: ForgeContext, request: Request, caller: Caller): Caller {
  const wanted = request.get("sudo") ?? request.query["sudo"];
  if (typeof wanted !== "string" || wanted === "") return caller;
  if (!caller.user.isAdmin) throw forbidden("Must be admin to use sudo");
  if (!caller.scopes.includes("sudo")) {
    throw new ApiError(403, {
      error: "insufficient_scope",
      error_description: "The request requires higher privileges than provided by the access token.",
      scope: "sudo",
    });
  }
  const { users, usersByName } = context.store;
  const user = usersByName.first(wanted.toLowerCase()) ?? users.get(Number(wanted));
  if (!user) throw new ApiError(404, { message: `404 User with ID or username '${wanted}' Not Found` });
  return { ...caller, user };
}
