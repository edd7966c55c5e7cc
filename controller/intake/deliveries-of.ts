import { ActionNeededError } from "#core/errors";
import type { ForgeHost, ForgeKind } from "../forge/forge.ts";
import type { ProjectSecret } from "./project-secret.ts";
import type { ForgeEvent } from "./to-event.ts";
import { toEvent } from "./to-event.ts";
import { toEventOfGitHub } from "./to-event-of-github.ts";
import { type Headers, verifyDelivery, verifyHeaders } from "./verify-delivery.ts";
import { verifyGitHubDelivery, verifyGitHubHeaders } from "./verify-github-delivery.ts";

/** How one kind of Git host proves and says something. */
export interface HostDeliveries {
  /** What can be said before the body is read; throws like `verify`. */
  verifyHeaders(headers: Headers, secret: ProjectSecret | undefined): void;
  /** Throws unless whoever sent these bytes knows the secret. */
  verify(headers: Headers, rawBody: Buffer, secret: ProjectSecret | undefined): void;
  /** Whatever it is, the answer is an event, never an exception. */
  toEvent(headers: Headers, body: unknown): ForgeEvent;
  /** The host's own id of a delivery, the same when it is sent again. */
  keyOf(headers: Headers): string | undefined;
}

const byKind: Record<ForgeKind, HostDeliveries> = {
  gitlab: {
    verifyHeaders,
    verify: verifyDelivery,
    toEvent,
    // With a signature only the signed id counts, since the other can be changed.
    keyOf: (headers) =>
      plain(headers["webhook-signature"] === undefined ? headers["idempotency-key"] : headers["webhook-id"]),
  },
  github: {
    verifyHeaders: verifyGitHubHeaders,
    verify: verifyGitHubDelivery,
    toEvent: toEventOfGitHub,
    keyOf: (headers) => plain(headers["x-github-delivery"]),
  },
};

/** Those of the host's kind. A delivery to the address of another kind is refused: `ActionNeededError("DELIVERY_REFUSED")`. */
export function deliveriesOf(kind: ForgeKind, host: ForgeHost): HostDeliveries {
  if (kind === host.kind) return byKind[kind];
  throw new ActionNeededError(
    "DELIVERY_REFUSED",
    "The delivery is refused: its project is on another kind of host",
    {
      hint: "The platform writes its webhooks itself; remove the one that sent this and restart the platform.",
    },
  );
}

function plain(key: string | string[] | undefined): string | undefined {
  return typeof key === "string" && /^[A-Za-z0-9_-]{1,100}$/.test(key) ? key : undefined;
}
