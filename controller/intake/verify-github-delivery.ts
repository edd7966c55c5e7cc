import { createHmac, timingSafeEqual } from "node:crypto";
import type { ProjectSecret } from "./project-secret.ts";
import { type Headers, notConfigured, refused } from "./verify-delivery.ts";

/** What can be said before the body is read: a delivery without a signature is refused before it costs anything. */
export function verifyGitHubHeaders(headers: Headers, secret: ProjectSecret | undefined): void {
  if (secret === undefined) throw notConfigured();
  signatureIn(headers);
}

/**
 * Throws unless whoever sent these bytes knows the project's secret: `ActionNeededError("DELIVERY_REFUSED")`, or
 * `"WEBHOOKS_NOT_CONFIGURED"` when there is none. GitHub signs the bytes of the body alone: neither a time nor the headers. One
 * that is sent again by somebody is a nudge more, and nothing else.
 */
export function verifyGitHubDelivery(
  headers: Headers,
  rawBody: Buffer,
  secret: ProjectSecret | undefined,
): void {
  if (secret === undefined) throw notConfigured();
  const wanted = createHmac("sha256", secret.signingToken).update(rawBody).digest();
  if (!timingSafeEqual(signatureIn(headers), wanted)) throw refused("its signature is wrong");
}

/** The 32 bytes of the signature. The older one, by SHA-1, counts for nothing. */
function signatureIn(headers: Headers): Buffer {
  const value = headers["x-hub-signature-256"];
  const hex = typeof value === "string" ? /^sha256=([0-9a-f]{64})$/.exec(value)?.[1] : undefined;
  if (hex === undefined) throw refused("it carries no signature");
  return Buffer.from(hex, "hex");
}
