import type { Request, Response } from "express";
import type { ForgeContext } from "../forge-context.ts";
import { badParameter } from "../http/api-error.ts";
import { pageOf } from "../http/pagination.ts";
import { Parameters } from "../http/parameters.ts";
import { requestLink } from "../http/request-link.ts";
import type { TreeEntry } from "./tree-entries.ts";

/** Where a page of a tree begins. The commit is in it, so that a push meanwhile changes nothing for who reads on. */
interface TreePlace {
  commit: string;
  start: number;
}

/** What `page_token` says; `undefined` for the first page. */
export function treePlace(request: Request): TreePlace | undefined {
  const token = Parameters.of(request).filled("page_token");
  if (token === undefined) return undefined;
  const match = /^([0-9a-f]{40})-(\d{1,9})$/.exec(token);
  const [, commit, start] = match ?? [];
  if (!commit || !start) throw badParameter("page_token is invalid");
  return { commit, start: Number(start) };
}

/** One page of a tree; `Link` tells the token of the next, and is absent on the last. */
export function keysetTreePage(
  context: ForgeContext,
  request: Request,
  response: Response,
  all: readonly TreeEntry[],
  place: TreePlace,
): TreeEntry[] {
  const { perPage } = pageOf(request);
  const end = place.start + perPage;
  if (end < all.length) {
    const page_token = `${place.commit}-${end}`;
    const link = requestLink(context, request, { page_token, per_page: String(perPage) });
    response.set("link", `<${link}>; rel="next"`);
  }
  response.set("x-per-page", String(perPage));
  return all.slice(place.start, end);
}
