import type { NextFunction, Request, Response } from "express";

/** Sends JSON as `application/json` and nothing more, as GitLab does: some clients compare the whole header. */
export function plainJson(_request: Request, response: Response, next: NextFunction): void {
  response.json = (body: unknown) => {
    response.setHeader("content-type", "application/json");
    return response.send(Buffer.from(JSON.stringify(body)));
  };
  next();
}
