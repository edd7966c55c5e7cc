import { createHash, timingSafeEqual } from "node:crypto";
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import { ActionNeededError } from "#core/errors";
import type { ProjectSecret } from "./project-secret.ts";

const windowSeconds = 300; // as standardwebhooks has it: a signed delivery older than this is a replay

/** Header fields by lower-case name, as Node.js hands them over. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/**
 * What can be said before the body is read: a delivery without any proof, with a wrong token or with a time stamp
 * outside of the window is refused before it costs anything. Throws like `verifyDelivery`.
 */
export function verifyHeaders(headers: Headers, secret: ProjectSecret | undefined): void {
  if (secret === undefined) throw notConfigured();
  if (headers["webhook-signature"] !== undefined) {
    const timestamp = Number(one(headers, "webhook-timestamp"));
    if (!(Math.abs(Date.now() / 1_000 - timestamp) <= windowSeconds))
      throw refused("its time stamp is too far off");
    return; // the signature needs the body
  }
  const token = one(headers, "x-gitlab-token");
  if (token === undefined) throw refused("it carries neither a signature nor a token");
  if (!equal(token, secret.token)) throw refused("its token is wrong");
}

/**
 * Throws unless whoever sent these bytes knows the project's secret: `ActionNeededError("DELIVERY_REFUSED")`, or
 * `"WEBHOOKS_NOT_CONFIGURED"` when there is none. A signature that is there must be right; the token then no longer
 * helps.
 */
export function verifyDelivery(headers: Headers, rawBody: Buffer, secret: ProjectSecret | undefined): void {
  verifyHeaders(headers, secret);
  if (secret === undefined || headers["webhook-signature"] === undefined) return;
  const signed = {
    "webhook-id": one(headers, "webhook-id") ?? "",
    "webhook-timestamp": one(headers, "webhook-timestamp") ?? "",
    "webhook-signature": one(headers, "webhook-signature") ?? "",
  };
  try {
    new Webhook(secret.signingToken).verify(rawBody, signed, { jsonParse: false });
  } catch (error) {
    if (error instanceof WebhookVerificationError) throw refused("its signature is wrong");
    throw error;
  }
}

/** In constant time, whatever the lengths. */
function equal(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}

function one(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : undefined;
}

export function refused(why: string): ActionNeededError {
  return new ActionNeededError("DELIVERY_REFUSED", `The delivery is refused: ${why}`, {
    hint: "The platform writes its webhooks itself; remove the one that sent this and restart the platform.",
  });
}

export function notConfigured(): ActionNeededError {
  return new ActionNeededError(
    "WEBHOOKS_NOT_CONFIGURED",
    "No webhook secret is configured, so none is accepted",
    {
      hint: "Set the webhook secret of the installation: openssl rand -hex 32",
    },
  );
}
