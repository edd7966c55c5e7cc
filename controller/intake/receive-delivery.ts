import { ActionNeededError } from "#core/errors";
import type { ForgeHost, ForgeKind } from "../forge/forge.ts";
import { eventOf } from "../forge/host-names.ts";
import type { Deliveries } from "./deliveries.ts";
import { deliveriesOf } from "./deliveries-of.ts";
import { parseBody } from "./parse-body.ts";
import { isWholeHost, type ProjectSecret } from "./project-secret.ts";
import type { ForgeEvent } from "./to-event.ts";
import { toIntent } from "./to-intent.ts";
import type { Headers } from "./verify-delivery.ts";

/** One webhook call: nothing of it is trusted yet. */
export interface IncomingDelivery {
  /** Whose language it speaks, as its address says. */
  kind: ForgeKind;
  headers: Headers;
  /** As it came, at most `maxBodyBytes`. */
  rawBody: Buffer;
  /** Whose secret must fit: from the webhook's address; `wholeHost` for the system hook. */
  projectId: number;
}

export interface ReceiveDeps {
  /** `undefined` when no secret is configured: everything is refused then. */
  secretOf(projectId: number): ProjectSecret | undefined;
  hostOf(projectId: number): ForgeHost;
  deliveries: Deliveries;
  /** Tells the workers about a project and, where it is known, its new head, soon; a nudge that is lost is made up for at the next start or resync. */
  nudgeProject(path: string, head?: string): void;
  /** Tells the workers about a merge request; a nudge that is lost is made up for likewise. */
  nudgeReview(project: string, iid: number): void;
  /** Somebody may have gained or lost access to a shared repository. A call that is lost is made up for by the resync. */
  lookAtReaders(): void;
  /** A pipeline is somewhere else. A call that is lost is made up for by those who follow it, who ask from time to time. */
  lookAtPipeline(at: { projectId: number; pipeline: number; job?: number }): void;
}

/**
 * Verifies the bytes, then parses, then translates once, then journals, then nudges. 202: work follows; 200: nothing to
 * do, or received before. Throws `ActionNeededError` (`DELIVERY_REFUSED`, `WEBHOOKS_NOT_CONFIGURED`, `BAD_REQUEST`,
 * `DISK_FULL`) or `TryLaterError`; the delivery then never came.
 */
export async function receiveDelivery(
  incoming: IncomingDelivery,
  deps: ReceiveDeps,
): Promise<{ status: 202 | 200; deliveryId: string }> {
  const { kind, headers, rawBody, projectId } = incoming;
  const host = deps.hostOf(projectId);
  const { verify, toEvent, keyOf } = deliveriesOf(kind, host);
  verify(headers, rawBody, deps.secretOf(projectId));
  const event = eventOf(host, toEvent(headers, parseBody(rawBody)));
  const isAboutProject = event.kind !== "ignored" && event.kind !== "members-changed";
  const fits = event.kind === "ignored" || event.projectId === projectId;
  if (!isWholeHost(projectId) && !fits) {
    throw new ActionNeededError("DELIVERY_REFUSED", "The delivery is refused: it speaks of another project", {
      hint: "Each project has a webhook of its own; remove the one that sent this and restart the platform.",
    });
  }
  const intent = toIntent(event);
  if (intent.kind === "look-at-pipeline") {
    // Dozens for one pipeline, and each is worth nothing a moment later: not journalled.
    deps.lookAtPipeline(intent);
    return { status: 202, deliveryId: keyOf(headers) ?? "none" };
  }
  const { id, isNew } = await deps.deliveries.accept({
    key: keyOf(headers),
    projectId,
    project: isAboutProject ? event.projectPath : null,
    event: nameOf(event),
    intent,
  });
  if (!isNew || intent.kind === "none") return { status: 200, deliveryId: id };
  if (intent.kind === "reconcile") deps.nudgeProject(intent.project, intent.head);
  else if (intent.kind === "review") deps.nudgeReview(intent.project, intent.iid);
  else deps.lookAtReaders();
  return { status: 202, deliveryId: id };
}

function nameOf(event: ForgeEvent): string {
  if (event.kind === "note-added") return `note-added !${event.iid}`;
  if (event.kind === "merge-request-changed") {
    return `merge-request-changed !${event.iid}${event.action === undefined ? "" : ` ${event.action}`}`;
  }
  if (event.kind !== "pushed") return event.kind;
  return `pushed ${event.branch}${event.after === undefined ? " (deleted)" : ` ${event.after.slice(0, 8)}`}`;
}
