import type { Request, Response } from "express";
import type { ForgeContext } from "../forge-context.ts";
import type { Need } from "../projects/find-project.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";
import type { Piece } from "./html.ts";

/** Somebody looks at a page of a project they may see. */
export interface ProjectVisit {
  context: ForgeContext;
  request: Request;
  response: Response;
  /** `undefined` for a stranger at a public project. */
  user: UserRecord | undefined;
  project: ProjectRecord;
  /** For forms of the page. */
  csrf: string;
  /** Sends the page, with the project's name and tabs above it. `tab`: the one that it belongs to. */
  send(page: { title: string; tab: string; body: Piece; refreshS?: number | undefined }): void;
}

/** A page below `/<full path>/-/`, or a form that is sent there. */
export interface ProjectPage {
  method: "GET" | "POST";
  /** What follows after `/-/`, decoded; the whole of it. */
  path: RegExp;
  need: Need;
  /** Forms have been checked to be ours. */
  handle(visit: ProjectVisit, match: RegExpExecArray): Promise<void> | void;
}
