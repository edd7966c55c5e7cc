import type { Request, Response } from "express";
import type { Action } from "../auth/decide.ts";
import type { Resource } from "../auth/requires.ts";

/** One route below `/api/v1`, with the right it asks for. The router is made from these and from nothing else. */
export interface ApiRoute {
  method: "get" | "post" | "put" | "delete";
  /** As in the OpenAPI document: `/twins/{user}/{twin}`; `{name+}` stands for one or more segments. */
  path: string;
  action: Action;
  resource: Resource;
  /** Bytes of a larger JSON body than usual; `own`: the route reads its body itself. */
  body?: number | "own";
  handle: (request: Request, response: Response) => Promise<void>;
}

/** The path as Express writes it. */
export function expressPath(path: string): string {
  return path.replaceAll(/\{(\w+)\+\}/g, "*$1").replaceAll(/\{(\w+)\}/g, ":$1");
}
