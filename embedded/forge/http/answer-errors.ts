import type { NextFunction, Request, Response } from "express";
import { messageOf, TryLaterError } from "#core/errors";
import type { Logger } from "#core/logger";
import { ApiError } from "./api-error.ts";

/** The last handler: turns whatever was thrown into an answer in GitLab's shape and logs our own faults once. */
export function answerErrors(logger: Logger) {
  return (error: unknown, request: Request, response: Response, _next: NextFunction): void => {
    if (response.headersSent) {
      logger.warn({ err: messageOf(error), path: request.path }, "an answer broke off");
      response.destroy();
      return;
    }
    const { status, body } = answerTo(error);
    if (status === 500) {
      const requestId = response.get("x-request-id");
      logger.error({ err: error, requestId, method: request.method, path: request.path }, "a request failed");
    }
    response.status(status).json(body);
  };
}

function answerTo(error: unknown): { status: number; body: Readonly<Record<string, unknown>> } {
  if (error instanceof ApiError) return { status: error.status, body: error.body };
  if (error instanceof TryLaterError) return { status: 503, body: { message: "503 Service Unavailable" } };
  const { status, type } = error as { status?: unknown; type?: unknown };
  if (type === "entity.too.large") return { status: 413, body: { message: "413 Request Entity Too Large" } };
  // Thrown by Express and its body parsers: broken JSON, a broken percent code, an aborted body.
  if (typeof status === "number" && status >= 400 && status < 500) {
    return { status, body: { error: "The request could not be read" } };
  }
  return { status: 500, body: { message: "500 Internal Server Error" } };
}
