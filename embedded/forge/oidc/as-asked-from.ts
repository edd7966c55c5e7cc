import type { NextFunction, Request, Response } from "express";
import type { ForgeContext } from "../forge-context.ts";

/**
 * Everything that sign-in tells is told for the forge's external address, as with GitLab, whatever host the request names: what
 * the library takes for a proxy's word is set here, and a client's own word is overwritten.
 */
export function asAskedFrom(context: ForgeContext) {
  const { host, protocol } = new URL(context.url);
  return (request: Request, _response: Response, next: NextFunction): void => {
    request.headers.host = host;
    request.headers["x-forwarded-host"] = host;
    request.headers["x-forwarded-proto"] = protocol.slice(0, -1);
    next();
  };
}
