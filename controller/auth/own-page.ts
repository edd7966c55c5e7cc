import type { Request } from "express";
import { ActionNeededError } from "#core/errors";

/** Pages of other sites cannot set it without asking first, and are never allowed to. */
export const ownPageHeader = "x-dtaas-request";
const reading = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * A browser sends its cookie along whoever makes it ask. Throws `FOREIGN_REQUEST` unless the request was made by a page of our own:
 * what changes something carries our header and comes from our origin; what reads is not asked for from within another page.
 */
export function checkOwnPage(request: Pick<Request, "method" | "get">, ownOrigin: string): void {
  const site = request.get("sec-fetch-site");
  const origin = request.get("origin");
  if (reading.has(request.method)) {
    // Somebody may follow a link to us from anywhere; then no other page sees the answer.
    const isFollowed = request.get("sec-fetch-mode") === "navigate";
    if (site === undefined || site === "same-origin" || site === "none" || isFollowed) return;
    throw foreign("this page is not of the platform");
  }
  if (request.get(ownPageHeader) === undefined) throw foreign(`the header ${ownPageHeader} is missing`);
  const isOwn = site === undefined ? origin === ownOrigin : site === "same-origin";
  if (!isOwn) throw foreign("this page is not of the platform");
}

function foreign(why: string): ActionNeededError {
  return new ActionNeededError("FOREIGN_REQUEST", `a browser's sign-in cannot be used for this: ${why}`, {
    hint: `pages of the platform send \`${ownPageHeader}: 1\`; programs send an access token instead`,
  });
}
