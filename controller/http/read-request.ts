import type { Request } from "express";
import { ActionNeededError } from "#core/errors";
import { isSafeName } from "../reading/safe-name.ts";

/** A name in the path. One that cannot be a name of anything is answered like one that is not there. */
export function nameIn(request: Request, name: string): string {
  const value = request.params[name];
  if (typeof value === "string" && isSafeName(value)) return value;
  throw new ActionNeededError("NOT_FOUND", "there is no such thing, or you may not see it");
}

export function twinIn(request: Request): { user: string; twin: string } {
  return { user: nameIn(request, "user"), twin: nameIn(request, "twin") };
}

export function runIn(request: Request): { user: string; twin: string; id: string } {
  return { ...twinIn(request), id: nameIn(request, "id") };
}

/** A query parameter given at most once. */
export function oneQuery(request: Request, name: string): string | undefined {
  const values = manyQuery(request, name);
  if (values.length > 1) throw badRequest(`the parameter ${name} is given more than once`);
  return values[0];
}

/** A query parameter given any number of times. */
export function manyQuery(request: Request, name: string): string[] {
  const value = request.query[name];
  const values = value === undefined ? [] : Array.isArray(value) ? value : [value];
  return values.map((entry) => {
    if (typeof entry !== "string") throw badRequest(`the parameter ${name} is no text`);
    return entry;
  });
}

/** A whole number between 1 and `max`. */
export function limitQuery(request: Request, fallback: number, max: number): number {
  const text = oneQuery(request, "limit");
  if (text === undefined) return fallback;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= max) return value;
  throw badRequest(`limit must be a whole number from 1 to ${max}`);
}

/** A text field of the JSON body. */
export function bodyField(request: Request, name: string, pattern: RegExp, says: string): string {
  const value = bodyValue(request, name);
  if (typeof value === "string" && pattern.test(value)) return value;
  throw badRequest(`the JSON body must have a field "${name}": ${says}`);
}

/** A field of the JSON body, unchecked; `undefined` where it is not given. */
export function bodyValue(request: Request, name: string): unknown {
  const body: unknown = request.body;
  return typeof body === "object" && body !== null && Object.hasOwn(body, name)
    ? (body as Record<string, unknown>)[name]
    : undefined;
}

/** The header `Idempotency-Key`, where there is one. */
export function idempotencyKey(request: Request): string | undefined {
  const key = request.get("idempotency-key");
  if (key === undefined || /^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw badRequest("Idempotency-Key must be given once, as 1 to 255 visible ASCII characters without spaces");
}

export function badRequest(message: string): ActionNeededError {
  return new ActionNeededError("BAD_REQUEST", message, { hint: "see /api/v1/openapi.json" });
}
