import type { Request } from "express";
import { html, type Piece } from "./html.ts";

/** The page of a long list that is asked for, from 1. */
export function pageNumber(request: Request): number {
  const text = request.query["page"];
  return typeof text === "string" && /^[1-9]\d{0,5}$/.test(text) ? Number(text) : 1;
}

/** Links to the pages before and after; nothing where there are none. */
export function pageLinks(request: Request, number: number, hasNext: boolean): Piece {
  if (number === 1 && !hasNext) return undefined;
  const link = (to: number) => {
    const { pathname, searchParams } = new URL(request.originalUrl, "http://forge.invalid");
    searchParams.set("page", String(to));
    return `${pathname}?${searchParams}`;
  };
  return html`<nav class="pages" aria-label="Pages of this list">
${number > 1 && html`<a href="${link(number - 1)}" rel="prev">Newer</a>`}
${hasNext && html`<a href="${link(number + 1)}" rel="next">Older</a>`}</nav>`;
}
