import type { ErrorRequestHandler, Response } from "express";
import type { Logger } from "#core/logger";
import type { Problem } from "#schemas/api";
import { problemOf } from "./problem-of.ts";

/** The one place where errors become HTTP answers. Logs what is our fault, once. */
export function errorMiddleware(logger: Logger): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    const problem = problemOf(error, String(request.id ?? ""));
    if (problem.status >= 500) {
      const level = problem.code === "INTERNAL" ? "error" : "warn";
      logger[level]({ err: error, request: problem.requestId, url: request.path }, "request failed");
    }
    if (response.headersSent) return next(error); // a stream that broke: only closing is left
    sendProblem(response, problem);
  };
}

export function sendProblem(response: Response, problem: Problem): void {
  if (problem.status === 401) response.set("WWW-Authenticate", 'Bearer realm="dtaas"');
  if (problem.retryAfterMs !== undefined) {
    response.set("Retry-After", String(Math.ceil(problem.retryAfterMs / 1_000)));
  }
  response.status(problem.status).type("application/problem+json").send(JSON.stringify(problem));
}
