import type { Request, Response } from "express";
import type { ForgeContext } from "../forge-context.ts";
import { Parameters } from "./parameters.ts";
import { requestLink } from "./request-link.ts";

const defaultPerPage = 20;
const maxPerPage = 100; // GitLab's own limit; larger wishes are cut to it
const maxCounted = 10_000; // longer lists carry no totals, as in GitLab

export interface Page {
  page: number;
  perPage: number;
}

/** `page` from 1 and `per_page`, put within bounds. */
export function pageOf(request: Request): Page {
  const parameters = Parameters.of(request);
  const page = parameters.integer("page") ?? 1;
  const perPage = parameters.integer("per_page") ?? defaultPerPage;
  return { page: Math.max(page, 1), perPage: Math.min(perPage < 1 ? defaultPerPage : perPage, maxPerPage) };
}

/** Cuts the asked page out of a list and sets `x-*` and `Link`. */
export function paginate<T>(
  context: ForgeContext,
  request: Request,
  response: Response,
  all: readonly T[],
): T[] {
  const page = pageOf(request);
  const start = (page.page - 1) * page.perPage;
  setPageHeaders(context, request, response, { ...page, total: all.length });
  return all.slice(start, start + page.perPage);
}

/** Headers for a list that was paged by its source. Without `total`, `hasNext` says whether more follows. */
export function setPageHeaders(
  context: ForgeContext,
  request: Request,
  response: Response,
  list: Page & { total?: number; hasNext?: boolean },
): void {
  const { page, perPage, total } = list;
  const pages = total === undefined ? undefined : Math.max(Math.ceil(total / perPage), 1);
  const next = (pages === undefined ? list.hasNext : page < pages) ? page + 1 : undefined;
  const previous = page > 1 ? page - 1 : undefined;
  response.set("x-page", String(page));
  response.set("x-per-page", String(perPage));
  response.set("x-next-page", next === undefined ? "" : String(next));
  response.set("x-prev-page", previous === undefined ? "" : String(previous));
  const counted = pages !== undefined && total !== undefined && total <= maxCounted;
  if (counted) {
    response.set("x-total", String(total));
    response.set("x-total-pages", String(pages));
  }
  const url = (number: number) =>
    requestLink(context, request, { page: String(number), per_page: String(perPage) });
  const links = [];
  if (previous !== undefined) links.push(`<${url(previous)}>; rel="prev"`);
  if (next !== undefined) links.push(`<${url(next)}>; rel="next"`);
  links.push(`<${url(1)}>; rel="first"`);
  if (counted) links.push(`<${url(pages)}>; rel="last"`);
  response.set("link", links.join(", "));
}
