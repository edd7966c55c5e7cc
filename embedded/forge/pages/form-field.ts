import type { Request } from "express";

/** One field of a form; empty where it is missing or there are several. */
export function field(request: Request, name: string): string {
  const body = request.body as Record<string, unknown> | undefined;
  const value = body && Object.hasOwn(body, name) ? body[name] : undefined;
  return typeof value === "string" ? value : "";
}
