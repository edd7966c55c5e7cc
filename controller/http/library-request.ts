import { createHash } from "node:crypto";
import type { Request, Response } from "express";
import { ActionNeededError } from "#core/errors";
import type { LibraryPage } from "#schemas/library";
import type { GitEntry } from "../assets/git-entry.ts";
import { type AssetKind, assetKinds, isAssetKind } from "../library/asset-kinds.ts";
import { checkPath } from "../library/check-path.ts";
import type { Library } from "../library/library.ts";
import { defaultPerPage, maxPerPage } from "../library/library-limits.ts";
import type { LibraryRepository } from "../library/repositories.ts";
import { badRequest, limitQuery, oneQuery } from "./read-request.ts";

const repositoryName = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}(?:\/[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}){0,20}$/;

/** Full path of the project that the request's address names, for the question of rights. */
export function projectIn(library: Library, request: Request): string | undefined {
  const name = request.params["repository"];
  return typeof name === "string" && repositoryName.test(name)
    ? library.repositories.fullPath(name)
    : undefined;
}

export async function repositoryIn(library: Library, request: Request): Promise<LibraryRepository> {
  return await library.repositories.find(projectIn(library, request) ?? "");
}

/** The path behind `/files/`; names that cannot be are refused by `checkPath`. */
export function pathIn(request: Request): string {
  const segments = request.params["path"];
  return checkPath(Array.isArray(segments) ? segments.join("/") : (segments ?? ""));
}

export function commitQuery(request: Request, name = "commit"): string | undefined {
  const commit = oneQuery(request, name);
  if (commit === undefined || /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(commit)) return commit;
  throw badRequest(`${name} must be a whole commit id`);
}

export function kindQuery(request: Request): AssetKind | undefined {
  const kind = oneQuery(request, "kind");
  if (kind === undefined || isAssetKind(kind)) return kind;
  throw badRequest(`kind must be one of ${assetKinds.join(", ")}`);
}

export function isYes(request: Request, name: string): boolean {
  const value = oneQuery(request, name);
  if (value === undefined || value === "false") return false;
  if (value === "true" || value === "") return true;
  throw badRequest(`${name} must be true or false`);
}

/** Changes whenever the file does. */
export function fileTag(entry: Pick<GitEntry, "id" | "executable">): string {
  return `"${entry.id}${entry.executable ? "-x" : ""}"`;
}

/**
 * Answers 304 where the caller has this already. What is kept must be asked about each time: rights may have gone. The
 * commit travels in a header of its own.
 */
export function hasAlready(request: Request, response: Response, tag: string, commit: string): boolean {
  response.set({ ETag: tag, "DTaaS-Commit": commit, "Cache-Control": "private, no-cache" });
  // Not `request.fresh`: `fetch` sends no-cache with a tag of the program's own, and means that tag.
  const known = (request.get("If-None-Match") ?? "").split(",").map((one) => one.trim().replace(/^W\//, ""));
  if (!known.includes(tag)) return false;
  response.status(304).end();
  return true;
}

/** A tag for the answer to this address at this commit. */
export function pageTag(request: Request, commit: string): string {
  const rest = createHash("sha256").update(request.originalUrl).digest("hex").slice(0, 16);
  return `"${commit}-${rest}"`;
}

/** The items behind `after`, as many as are asked for. */
export function pageOf<T extends { path: string }>(
  request: Request,
  items: readonly T[],
): Pick<LibraryPage<T>, "items" | "next"> {
  const limit = limitQuery(request, defaultPerPage, maxPerPage);
  const after = oneQuery(request, "after");
  const from = after === undefined ? 0 : items.findIndex(({ path }) => path === after) + 1;
  if (after !== undefined && from === 0) throw badRequest("after is not the next of a page of this commit");
  const page = items.slice(from, from + limit);
  return { items: page, next: from + limit < items.length ? (page.at(-1)?.path ?? null) : null };
}

/** For `If-Match`: what stands there must be what the caller has seen. */
export function checkMatch(request: Request, path: string, entry: GitEntry | undefined): void {
  const wanted = request.get("If-Match");
  const unwanted = request.get("If-None-Match");
  const now = entry && fileTag(entry);
  const failed = (says: string) =>
    new ActionNeededError("PRECONDITION_FAILED", `${path} ${says}`, {
      where: { file: path },
      hint: "Look at the file as it is now and try again.",
    });
  const names = (header: string) => header.split(",").map((tag) => tag.trim());
  if (unwanted !== undefined && unwanted !== "*") throw badRequest("If-None-Match can only be * here");
  if (unwanted === "*" && entry) throw failed("is there already");
  if (wanted === undefined) return;
  if (entry === undefined) throw failed("is not there any more");
  if (wanted !== "*" && !names(wanted).includes(now ?? ""))
    throw failed("has changed since you looked at it");
}
