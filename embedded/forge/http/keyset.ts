import type { Request, Response } from "express";
import type { ForgeContext } from "../forge-context.ts";
import { ApiError, badParameter } from "./api-error.ts";
import { pageOf } from "./pagination.ts";
import { Parameters } from "./parameters.ts";
import { requestLink } from "./request-link.ts";

type Key = number | string;

/** How a list is cut by what its entries are ordered by, so that what comes and goes meanwhile shifts nothing. */
export interface KeysetOrder<T> {
  /** The `order_by` values this works with; others are refused, as GitLab does. */
  orders: readonly string[];
  /** What `order_by` and `sort` are when nothing is said. */
  order: string;
  direction: "asc" | "desc";
  /** Compared part by part; the last part differs for each entry. */
  keyOf: (entry: T) => readonly Key[];
  /** `id`: the place is told as `id_after` or `id_before`. `cursor`: as a text that only we can read. */
  marker: "id" | "cursor";
}

/** True when the request asks for keyset pages instead of numbered ones. */
export function asksForKeyset(request: Request): boolean {
  return Parameters.of(request).choice("pagination", ["keyset", "offset", "legacy"]) === "keyset";
}

/** One keyset page; `Link` tells where the next begins, and is absent on the last. */
export function keysetPage<T>(
  context: ForgeContext,
  request: Request,
  response: Response,
  all: readonly T[],
  how: KeysetOrder<T>,
): T[] {
  const parameters = Parameters.of(request);
  if (!how.orders.includes(parameters.filled("order_by") ?? how.order)) {
    throw new ApiError(405, { error: "Keyset pagination is not yet available for this type of request" });
  }
  const direction = parameters.choice("sort", ["asc", "desc"]) ?? how.direction;
  const sign = direction === "asc" ? 1 : -1;
  const after = how.marker === "id" ? idMark(parameters, direction) : cursorMark(parameters);
  const { perPage } = pageOf(request);
  const rest = all
    .map((entry) => ({ entry, key: how.keyOf(entry) }))
    .filter(({ key }) => after === undefined || sign * compareKeys(key, after) > 0)
    .sort((a, b) => sign * compareKeys(a.key, b.key));
  const page = rest.slice(0, perPage);
  const last = page.at(-1);
  if (last && rest.length > perPage) {
    const name = direction === "asc" ? "id_after" : "id_before";
    const mark = how.marker === "id" ? { [name]: String(last.key.at(-1)) } : { cursor: encode(last.key) };
    response.set(
      "link",
      `<${requestLink(context, request, { ...mark, per_page: String(perPage) })}>; rel="next"`,
    );
  }
  response.set("x-per-page", String(perPage));
  return page.map(({ entry }) => entry);
}

function idMark(parameters: Parameters, direction: "asc" | "desc"): Key[] | undefined {
  const id = parameters.integer(direction === "asc" ? "id_after" : "id_before");
  return id === undefined ? undefined : [id];
}

function cursorMark(parameters: Parameters): Key[] | undefined {
  const cursor = parameters.filled("cursor");
  if (cursor === undefined) return undefined;
  try {
    const key: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
    if (Array.isArray(key) && key.every((part) => ["number", "string"].includes(typeof part))) return key;
  } catch {
    // Not one of ours.
  }
  throw badParameter("cursor is invalid");
}

function encode(key: readonly Key[]): string {
  return Buffer.from(JSON.stringify(key)).toString("base64url");
}

function compareKeys(a: readonly Key[], b: readonly Key[]): number {
  for (const [index, part] of a.entries()) {
    const other = b[index];
    if (other === undefined || part > other) return 1;
    if (part < other) return -1;
  }
  return 0;
}
