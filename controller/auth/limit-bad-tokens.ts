import type { RequestHandler } from "express";
import { rateLimit } from "express-rate-limit";
import { ActionNeededError } from "#core/errors";
import { type Callers, tokenOf } from "./caller.ts";
import { looksLikeCiToken } from "./ci-token.ts";

const windowMs = 60_000;
const maxBadTokens = 20; // from one address in a window; guessing goes nowhere, a typing error costs nothing

/**
 * Slows down whoever tries tokens: after too many that were refused, further unknown ones from the same address get
 * 429 (`TOO_MANY_FAILURES`). A token that was good a moment ago goes through, so one caller with an old token does
 * not shut out the others behind the same address.
 */
export function limitBadTokens(callers: Pick<Callers, "isRemembered">): RequestHandler {
  return rateLimit({
    windowMs,
    limit: maxBadTokens,
    standardHeaders: false,
    legacyHeaders: false,
    skipSuccessfulRequests: true,
    requestWasSuccessful: (_request, response) => response.statusCode !== 401,
    skip: (request) => {
      const token = tokenOf(request.headers);
      // An ID token of a job cannot be guessed and costs the Git host nothing; many jobs may come from one address.
      return token === undefined || looksLikeCiToken(token) || callers.isRemembered(token);
    },
    handler: (_request, response, next) => {
      response.set("Retry-After", String(windowMs / 1_000));
      next(
        new ActionNeededError("TOO_MANY_FAILURES", "too many refused tokens from this address", {
          hint: "wait a minute, then use a token that is good",
        }),
      );
    },
  });
}
