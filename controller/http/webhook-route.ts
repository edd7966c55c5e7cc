import { Router } from "express";
import { ActionNeededError } from "#core/errors";
import { deliveriesOf } from "../intake/deliveries-of.ts";
import { maxBodyBytes } from "../intake/parse-body.ts";
import { readBody } from "../intake/read-body.ts";
import { type ReceiveDeps, receiveDelivery } from "../intake/receive-delivery.ts";

const bodyTimeoutMs = 10_000; // GitLab and GitHub themselves give up after ten seconds

/**
 * `POST /webhooks/gitlab?project=<id>`, and the same for `github`; must stand before everything that reads bodies. Whoever cannot show at once
 * that it knows a secret is refused before a byte of the body is read.
 */
export function webhookRoute(deps: ReceiveDeps): Router {
  const router = Router();
  router.post("/webhooks/:kind", async (request, response, next) => {
    const { kind } = request.params;
    if (kind !== "gitlab" && kind !== "github") return next();
    try {
      const projectId = projectIn(request.query["project"]);
      deliveriesOf(kind, deps.hostOf(projectId)).verifyHeaders(request.headers, deps.secretOf(projectId));
      checkKind(request.headers);
      const rawBody = await readBody(request, { maxBytes: maxBodyBytes, timeoutMs: bodyTimeoutMs });
      const { status, deliveryId } = await receiveDelivery(
        { kind, headers: request.headers, rawBody, projectId },
        deps,
      );
      response
        .status(status)
        .type("json")
        .end(JSON.stringify({ delivery: deliveryId }));
    } catch (error) {
      // What was not read must not be taken for the next request, and is not worth reading.
      if (!request.readableEnded) response.set("Connection", "close");
      throw error;
    }
  });
  return router;
}

function projectIn(query: unknown): number {
  if (typeof query !== "string" || !/^(0|[1-9]\d{0,14})$/.test(query)) {
    throw new ActionNeededError("BAD_REQUEST", "the webhook's address names no project: ?project=<id>");
  }
  return Number(query);
}

function checkKind(headers: Readonly<Record<string, string | string[] | undefined>>): void {
  const type = String(headers["content-type"] ?? "")
    .split(";", 1)[0]
    ?.trim()
    .toLowerCase();
  if (type !== "application/json" || headers["content-encoding"] !== undefined) {
    throw new ActionNeededError("BODY_KIND_UNKNOWN", "deliveries are uncompressed application/json");
  }
}
