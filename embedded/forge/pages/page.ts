import type { UserRecord } from "../store/records.ts";
import { type Html, html, type Piece } from "./html.ts";

export const stylesheetPath = "/-/assets/forge.css";

export interface Page {
  title: string;
  body: Piece;
  /** Who is signed in, with the token that their forms carry. */
  signedIn?: { user: UserRecord; csrf: string } | undefined;
  /** The page is asked for again after so many seconds. */
  refreshS?: number | undefined;
}

/** A whole page around its content. */
export function page({ title, body, signedIn, refreshS }: Page): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${refreshS !== undefined && html`<meta http-equiv="refresh" content="${refreshS}">`}
<title>${title} · Forge</title>
<link rel="stylesheet" href="${stylesheetPath}">
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header>
<a class="home" href="/">Forge</a>
<nav aria-label="Account">${signedIn ? account(signedIn) : html`<a href="/users/sign_in">Sign in</a>`}</nav>
</header>
<main id="content">
${body}
</main>
</body>
</html>
`;
}

function account({ user, csrf }: { user: UserRecord; csrf: string }): Html {
  return html`<span class="who">${user.username}</span>
<form method="post" action="/users/sign_out">${csrfField(csrf)}<button type="submit" class="plain">Sign out</button></form>`;
}

/** What every form that changes something has in it. */
export function csrfField(csrf: string): Html {
  return html`<input type="hidden" name="authenticity_token" value="${csrf}">`;
}
