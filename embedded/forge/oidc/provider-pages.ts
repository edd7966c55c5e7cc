import type { Configuration, KoaContextWithOIDC } from "oidc-provider";
import type { ForgeContext } from "../forge-context.ts";
import { allowFormTarget } from "../pages/content-security.ts";
import { type Html, html, type Piece, trustedHtml } from "../pages/html.ts";
import { page } from "../pages/page.ts";
import { endSession } from "./end-session.ts";

type Features = NonNullable<Configuration["features"]>;

/** What somebody is shown when an application has asked wrongly, or too late. */
export function renderError(_context: ForgeContext): NonNullable<Configuration["renderError"]> {
  return (koa, out) => {
    show(
      koa,
      "Sign-in did not work",
      html`<h1>Sign-in did not work</h1>
<p class="error">${String(out.error_description ?? out.error)}</p>
<p>Go back to where you came from and begin again.</p>
<p class="soft">${out.error}</p>`,
    );
  };
}

/**
 * Signing out as an application asks for it. Whoever shows the ID token of the person that is signed in here is not asked once
 * more; anybody else could be a page that wants to be a nuisance.
 */
export function logout(context: ForgeContext): NonNullable<Features["rpInitiatedLogout"]> {
  return {
    logoutSource: async (koa, form) => {
      const { session, params, entities } = koa.oidc;
      const hint = (entities as { IdTokenHint?: { payload?: { sub?: unknown } } }).IdTokenHint;
      const returnTo = params?.["post_logout_redirect_uri"];
      if (session && hint?.payload?.sub === session.accountId) {
        await endSession(context, session);
        koa.cookies.set(koa.oidc.provider.cookieName("session"), null, { path: "/" });
        koa.status = 303;
        koa.redirect(typeof returnTo === "string" ? withState(returnTo, params?.["state"]) : "/");
        return;
      }
      if (typeof returnTo === "string") allowFormTarget(koa.res, returnTo);
      const name = koa.oidc.client?.clientName;
      show(
        koa,
        "Sign out",
        html`<div class="narrow"><h1>Sign out</h1>
<p>${name ? `${name} asks` : "A program asks"} to sign you out here as well.</p>
${trustedHtml(form) /* the library's, with nothing but its own token in it */}
<button type="submit" form="op.logoutForm" name="logout" value="yes">Sign out</button>
<button type="submit" form="op.logoutForm" class="plain">Stay signed in</button></div>`,
      );
    },
    postLogoutSuccessSource: (koa) => {
      show(koa, "Signed out", html`<h1>Signed out</h1><p><a href="/users/sign_in">Sign in</a></p>`);
    },
  };
}

/** Signing in a program without a browser of its own: it shows a code, which is entered here. */
export function deviceFlow(_context: ForgeContext): NonNullable<Features["deviceFlow"]> {
  return {
    charset: "base-20",
    mask: "****-****",
    deviceInfo: () => ({}),
    userCodeInputSource: (koa, form, _out, error) => {
      show(
        koa,
        "Sign in a program",
        html`<div class="narrow"><h1>Sign in a program</h1>
${error !== undefined && html`<p class="error" role="alert">This code is not good, or it was used before. Enter the one that the program shows now.</p>`}
<p>Enter the code that the program shows.</p>
${trustedHtml(form) /* the library's, which escapes what was entered */}
<button type="submit" form="op.deviceInputForm">Continue</button></div>`,
      );
    },
    userCodeConfirmSource: (koa, form, client, _info, code) => {
      show(
        koa,
        "Sign in a program",
        html`<div class="narrow"><h1>Sign in ${client.clientName ?? client.clientId}?</h1>
<p>The program must show this code now: <strong>${code}</strong></p>
<p>If you have not just started it yourself, do not go on: it would act in your name.</p>
${trustedHtml(form) /* the library's, which escapes what was entered */}
<button type="submit" form="op.deviceConfirmForm">Continue</button>
<button type="submit" form="op.deviceConfirmForm" name="abort" value="yes" class="plain">Do not sign in</button></div>`,
      );
    },
    successSource: (koa) => {
      show(
        koa,
        "Signed in",
        html`<h1>Signed in</h1><p>The program goes on by itself. You can close this page.</p>`,
      );
    },
  };
}

function show(koa: KoaContextWithOIDC, title: string, body: Piece): void {
  const shown: Html = page({ title, body });
  koa.type = "html";
  koa.body = shown.text;
}

function withState(uri: string, state: unknown): string {
  const url = new URL(uri);
  if (typeof state === "string") url.searchParams.set("state", state);
  return url.href;
}
