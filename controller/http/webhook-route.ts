import { Router } from "express";
import { ActionNeededError } from "#core/errors";
import { maxBodyBytes } from "../intake/parse-body.ts";
import { readBody } from "../intake/read-body.ts";
import { type ReceiveDeps, receiveDelivery } from "../intake/receive-delivery.ts";
import { verifyHeaders } from "../intake/verify-delivery.ts";

const bodyTimeoutMs = 10_000; // GitLab itself gives up after ten seconds

/**
 * `POST /webhooks/gitlab?project=<id>`; must stand before everything that reads bodies. Whoever cannot show at once
 * that it knows a secret is refused before a byte of the body is read.
 */
export function webhookRoute(deps: ReceiveDeps): Router {
  const router = Router();
  router.post("/webhooks/gitlab", async (request, response) => {
    try {
      const projectId = projectIn(request.query["project"]);
      verifyHeaders(request.headers, deps.secretOf(projectId));
      checkKind(request.headers);
      const rawBody = await readBody(request, { maxBytes: maxBodyBytes, timeoutMs: bodyTimeoutMs });
      const { status, deliveryId } = await receiveDelivery(
        { headers: request.headers, rawBody, projectId },
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
