import type { NextFunction, Request, RequestHandler, Response } from "express";
import { tokenOf } from "../access/caller.ts";
import { checkAccess } from "../access/check-access.ts";
import type { ForgeContext } from "../forge-context.ts";

const periodSeconds = 60;

/**
 * Counts the requests of each user, and of each address for those that nobody has signed, in minutes of the clock as GitLab does.
 * Each answer says in `RateLimit-*` how many are left; beyond `requestsPerMinute` it is 429 with `Retry-After`.
 */
export function limitRate(context: ForgeContext, requestsPerMinute: number): RequestHandler {
  let period = 0;
  let counts = new Map<string, number>();
  return (request: Request, response: Response, next: NextFunction): void => {
    const nowSeconds = context.clock().getTime() / 1_000;
    const current = Math.floor(nowSeconds / periodSeconds);
    if (current !== period) {
      period = current;
      counts = new Map();
    }
    const caller = callerKey(context, request);
    const observed = (counts.get(caller) ?? 0) + 1;
    counts.set(caller, observed);
    const resetSeconds = (current + 1) * periodSeconds;
    const kind = caller.startsWith("user:") ? "authenticated" : "unauthenticated";
    response.set({
      "RateLimit-Name": `throttle_${kind}_api`,
      "RateLimit-Limit": String(requestsPerMinute),
      "RateLimit-Observed": String(observed),
      "RateLimit-Remaining": String(Math.max(requestsPerMinute - observed, 0)),
      "RateLimit-Reset": String(resetSeconds),
    });
    if (observed <= requestsPerMinute) {
      next();
      return;
    }
    response.set("Retry-After", String(Math.max(Math.ceil(resetSeconds - nowSeconds), 1)));
    response.set("RateLimit-ResetTime", new Date(resetSeconds * 1_000).toUTCString());
    response.status(429).type("text/plain").send("Retry later\n");
  };
}

function callerKey(context: ForgeContext, request: Request): string {
  const value = tokenOf(request);
  const check = value === undefined ? undefined : checkAccess(context, value);
  return check?.kind === "good" ? `user:${check.user.id}` : `address:${request.ip ?? ""}`;
}
