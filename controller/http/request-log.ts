import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { RequestHandler } from "express";
import { pinoHttp } from "pino-http";
import type { Logger } from "#core/logger";
import type { ControllerMetrics } from "../metrics.ts";

const givenIdPattern = /^[A-Za-z0-9._-]{1,64}$/;
const probes = new Set(["/healthz", "/readyz", "/metrics"]);

/**
 * Gives every request an id (the sender's `X-Request-Id` where it is a plain one), answers with it, and logs one line
 * per request: never headers, bodies or queries.
 */
export function requestLog(logger: Logger): RequestHandler {
  return pinoHttp({
    logger,
    genReqId: (request: IncomingMessage, response: ServerResponse) => {
      const given = request.headers["x-request-id"];
      const id = typeof given === "string" && givenIdPattern.test(given) ? given : randomUUID();
      response.setHeader("X-Request-Id", id);
      return id;
    },
    serializers: {
      req: (request: { id: unknown; method: string; url: string }) => ({
        id: request.id,
        method: request.method,
        path: request.url.split("?", 1)[0],
      }),
      res: (response: { statusCode: number }) => ({ status: response.statusCode }),
    },
    customLogLevel: (request, response) => {
      if (probes.has(request.url ?? "")) return "debug";
      // Hundreds a second may come, and the journal has each of them.
      if (request.url?.startsWith("/webhooks/") && response.statusCode < 300) return "debug";
      return response.statusCode >= 500 ? "warn" : "info";
    },
    customProps: (_request, response) => {
      const caller = (response as { locals?: { caller?: { user: { username: string } } } }).locals?.caller;
      return caller ? { caller: caller.user.username } : {};
    },
  }) as RequestHandler;
}

const webhookPaths = new Set(["/webhooks/gitlab", "/webhooks/github"]);

/** Measures answers by route pattern, so that there are few series. Streams are no answers and are left out. */
export function requestMetrics(metrics: ControllerMetrics): RequestHandler {
  return (request, response, next) => {
    const startedAt = performance.now();
    const { path } = request;
    response.once("finish", () => {
      if (response.locals["isStream"]) return;
      const isDelivery = webhookPaths.has(path);
      if (isDelivery) metrics.deliveries.inc({ outcome: deliveryOutcome(response.statusCode) });
      const isNamed = isDelivery || probes.has(path);
      const route = String(response.locals["route"] ?? (isNamed ? path : "other"));
      metrics.httpSeconds.observe(
        { method: request.method, route, status: String(response.statusCode) },
        (performance.now() - startedAt) / 1_000,
      );
    });
    next();
  };
}

function deliveryOutcome(status: number): string {
  if (status === 202) return "accepted";
  if (status === 200) return "ignored";
  return status < 500 ? "refused" : "failed";
}
