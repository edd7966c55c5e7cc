import type { StatusRecord } from "../statuses/status-store.ts";
import { type Html, html, type Piece } from "./html.ts";

const classes: Readonly<Record<string, string>> = {
  success: "good",
  failed: "bad",
  canceled: "soft",
  skipped: "soft",
};

/** The name of a state, in its colour. */
export function stateWord(state: string): Html {
  return html`<span class="${classes[state] ?? "busy"}">${state}</span>`;
}

/** What programs have said about a commit. */
export function statusList(statuses: readonly StatusRecord[]): Piece {
  const current = statuses.filter((each) => !each.retried);
  if (current.length === 0) return undefined;
  return html`<h2>Statuses</h2>
<ul class="plain">${current.map(
    (each) => html`<li>${stateWord(each.status)} <strong>${nameOf(each)}</strong>
${each.description && html`<br>${each.description}`}</li>`,
  )}</ul>`;
}

/** Programs may name any address; only those of the web become links. */
function nameOf({ name, targetUrl }: StatusRecord): Piece {
  if (targetUrl === null || !URL.canParse(targetUrl) || !/^https?:$/.test(new URL(targetUrl).protocol))
    return name;
  return html`<a href="${targetUrl}" rel="nofollow noopener noreferrer">${name}</a>`;
}
