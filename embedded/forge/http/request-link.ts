import type { Request } from "express";
import type { ForgeContext } from "../forge-context.ts";

/** The address of this request with some parameters set otherwise, for `Link`; never with a token in it. */
export function requestLink(
  context: ForgeContext,
  request: Request,
  parameters: Readonly<Record<string, string>>,
): string {
  const link = new URL(context.url + request.originalUrl);
  for (const secret of ["private_token", "access_token"]) link.searchParams.delete(secret);
  for (const [name, value] of Object.entries(parameters)) link.searchParams.set(name, value);
  return link.href;
}
