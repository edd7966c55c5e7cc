import type { NextFunction, Request, Response } from "express";
import { errors } from "oidc-provider";
import { messageOf, TryLaterError } from "#core/errors";
import type { Logger } from "#core/logger";
import { ApiError } from "../http/api-error.ts";
import { html } from "./html.ts";
import { page } from "./page.ts";
import { PageError } from "./page-error.ts";

/** The last handler of the pages: whatever was thrown, as a page. Our own faults are logged once and not told. */
export function answerPageErrors(logger: Logger) {
  return (error: unknown, request: Request, response: Response, _next: NextFunction): void => {
    if (response.headersSent) {
      logger.warn({ err: messageOf(error), path: request.path }, "a page broke off");
      response.destroy();
      return;
    }
    const { status, title, hint } = shown(error);
    const requestId = response.get("x-request-id");
    if (status === 500) {
      logger.error({ err: error, requestId, method: request.method, path: request.path }, "a page failed");
    }
    if (status === 429) response.set("retry-after", String(10 * 60));
    const body = html`<h1>${title}</h1><p class="error">${hint}</p>
${status === 500 && html`<p class="soft">The forge's log says more; look for ${requestId}</p>`}
<p><a href="/">All projects</a></p>`;
    response.status(status).type("html").send(page({ title, body }).text);
  };
}

function shown(error: unknown): { status: number; title: string; hint: string } {
  if (error instanceof PageError) return { status: error.status, title: error.message, hint: error.hint };
  if (error instanceof ApiError)
    return { status: error.status, title: titleOf(error.status), hint: wordsOf(error) };
  if (error instanceof TryLaterError)
    return { status: 503, title: "Not now", hint: "Try again in a moment." };
  if (error instanceof errors.SessionNotFound) {
    return {
      status: 400,
      title: "This sign-in is over",
      hint: "It took too long, or it was begun in another browser. Go back to where you came from and begin again.",
    };
  }
  const { status } = error as { status?: unknown };
  if (typeof status === "number" && status >= 400 && status < 500) {
    return { status, title: titleOf(status), hint: "The request could not be read." };
  }
  return { status: 500, title: "Something went wrong", hint: "It is not your fault." };
}

function titleOf(status: number): string {
  if (status === 403) return "You may not do this";
  if (status === 404) return "There is no such page";
  if (status === 409) return "It has changed meanwhile";
  if (status === 413) return "Too large";
  if (status === 429) return "Too many failed sign-ins";
  if (status === 501) return "Not possible here";
  return "This cannot be done";
}

/** What the API would have said, without its number. */
function wordsOf({ status, body }: ApiError): string {
  const said = body["message"] ?? body["error"];
  const text = typeof said === "string" ? said : listed(said);
  return text.replace(new RegExp(`^${status} `), "") || titleOf(status);
}

function listed(value: unknown): string {
  if (Array.isArray(value)) return value.map(String).join("; ");
  if (typeof value !== "object" || value === null) return "";
  return Object.entries(value)
    .map(([field, problems]) => `${field} ${listed(problems) || String(problems)}`)
    .join("; ");
}
