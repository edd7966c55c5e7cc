import { type Request, type Response, Router } from "express";
import type Provider from "oidc-provider";
import type { ForgeContext } from "../forge-context.ts";
import { ApiError } from "../http/api-error.ts";
import { type OAuthScope, scopeWords } from "../oidc/oauth-scopes.ts";
import { interactionPath } from "../oidc/provider.ts";
import { browserSession, type Sessions, sessionUser } from "../oidc/sessions.ts";
import type { UserRecord } from "../store/records.ts";
import { allowFormTarget } from "./content-security.ts";
import { field } from "./form-field.ts";
import type { Forms } from "./forms.ts";
import { html, type Piece } from "./html.ts";
import { csrfField, page } from "./page.ts";

export interface SignInDeps {
  context: ForgeContext;
  provider: Provider;
  sessions: Sessions;
  forms: Forms;
}

/** Signing in and out, and what an application asks of whoever signs in to it. */
export function signInRoutes(deps: SignInDeps): Router {
  const { context, provider, sessions, forms } = deps;
  const routes = Router({ caseSensitive: true });

  routes.get("/users/sign_in", (request, response) => {
    const returnTo = localPath(context, request.query["return_to"]);
    if (sessionUser(request)) response.redirect(303, returnTo);
    else sendForm(deps, request, response, { action: "/users/sign_in", returnTo });
  });

  routes.post("/users/sign_in", async (request, response) => {
    const returnTo = localPath(context, field(request, "return_to"));
    const user = await signedIn(deps, request, response, { action: "/users/sign_in", returnTo });
    if (!user) return;
    await sessions.signIn(request, response, user);
    response.redirect(303, returnTo);
  });

  routes.post("/users/sign_out", async (request, response) => {
    forms.check(request, response);
    await sessions.signOut(request, response);
    response.redirect(303, "/users/sign_in");
  });

  routes.get(`${interactionPath}/:uid`, async (request, response) => {
    const { prompt, params, uid } = await provider.interactionDetails(request, response);
    const application = context.store.applicationsByClient.first(String(params["client_id"]));
    const name = application?.name ?? "A program";
    if (prompt.name === "login") {
      allowReturn(response, params);
      sendForm(deps, request, response, { action: `${interactionPath}/${uid}/sign_in`, application: name });
      return;
    }
    const missing = prompt.details["missingOIDCScope"];
    allowReturn(response, params);
    const body = consentForm(
      name,
      uid,
      Array.isArray(missing) ? missing.map(String) : [],
      forms.token(request, response),
    );
    send(
      response,
      200,
      page({ title: `Allow ${name}?`, body, signedIn: account(deps, request, response) }).text,
    );
  });

  routes.post(`${interactionPath}/:uid/sign_in`, async (request, response) => {
    const { params, uid } = await provider.interactionDetails(request, response);
    const application = context.store.applicationsByClient.first(String(params["client_id"]));
    allowReturn(response, params);
    const form = {
      action: `${interactionPath}/${uid}/sign_in`,
      application: application?.name ?? "A program",
    };
    const user = await signedIn(deps, request, response, form);
    if (!user) return;
    const login = { accountId: String(user.id), amr: ["pwd"] };
    await provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false });
  });

  routes.post(`${interactionPath}/:uid/consent`, async (request, response) => {
    forms.check(request, response);
    const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
    allowReturn(response, params);
    if (field(request, "answer") !== "allow") {
      const error = { error: "access_denied", error_description: "The user did not agree" };
      await provider.interactionFinished(request, response, error, { mergeWithLastSubmission: false });
      return;
    }
    const accountId = session?.accountId;
    if (accountId === undefined) throw new Error("somebody is asked to agree who has not signed in");
    const known = grantId === undefined ? undefined : await provider.Grant.find(grantId);
    const grant = known ?? new provider.Grant({ accountId, clientId: String(params["client_id"]) });
    const missing = prompt.details["missingOIDCScope"];
    if (Array.isArray(missing)) grant.addOIDCScope(missing.map(String).join(" "));
    const consent = { grantId: await grant.save() };
    await provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true });
  });

  return routes;
}

interface SignInForm {
  action: string;
  returnTo?: string;
  /** The name of the application that somebody signs in to. */
  application?: string;
  problem?: string;
}

/** Who has filled in the form rightly; otherwise `undefined`, and the form was sent again. */
async function signedIn(
  deps: SignInDeps,
  request: Request,
  response: Response,
  form: SignInForm,
): Promise<UserRecord | undefined> {
  deps.forms.check(request, response);
  try {
    const { passwords } = deps.context;
    const user = await passwords.signIn(
      request.ip ?? "",
      field(request, "username"),
      field(request, "password"),
    );
    if (user) return user;
    response.status(401);
    sendForm(deps, request, response, { ...form, problem: "The user name or the password is not right." });
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 429) throw error;
    response.status(429).set("retry-after", String(10 * 60));
    sendForm(deps, request, response, {
      ...form,
      problem: "Too many failed sign-ins. Try again in ten minutes.",
    });
  }
  return undefined;
}

function sendForm(deps: SignInDeps, request: Request, response: Response, form: SignInForm): void {
  const username = field(request, "username");
  const body = html`<div class="narrow">
<h1>${form.application === undefined ? "Sign in" : `Sign in to ${form.application}`}</h1>
${form.problem !== undefined && html`<p class="error" role="alert">${form.problem}</p>`}
<form method="post" action="${form.action}">
${csrfField(deps.forms.token(request, response))}
${form.returnTo !== undefined && html`<input type="hidden" name="return_to" value="${form.returnTo}">`}
<label for="username">User name</label>
<input type="text" id="username" name="username" value="${username}" autocomplete="username" autocapitalize="none" spellcheck="false" required autofocus>
<label for="password">Password</label>
<input type="password" id="password" name="password" autocomplete="current-password" required>
<button type="submit">Sign in</button>
</form>
<p class="soft">An access token is no password: it is for git and the API.</p>
</div>`;
  send(response, response.statusCode, page({ title: "Sign in", body }).text);
}

function consentForm(application: string, uid: string, scopes: readonly string[], csrf: string): Piece {
  const words = scopes.map((scope) => (scope in scopeWords ? scopeWords[scope as OAuthScope] : scope));
  return html`<div class="narrow">
<h1>Allow ${application}?</h1>
<p>It wants to do this in your name:</p>
<ul>${words.map((word) => html`<li>${word}</li>`)}</ul>
<form method="post" action="${interactionPath}/${uid}/consent">
${csrfField(csrf)}
<button type="submit" name="answer" value="allow">Allow</button>
<button type="submit" name="answer" value="deny" class="plain">Do not allow</button>
</form>
</div>`;
}

function account({ forms }: SignInDeps, request: Request, response: Response) {
  const session = browserSession(request);
  return session && { user: session.user, csrf: forms.token(request, response) };
}

/** After the form the browser is led on to the application. */
function allowReturn(response: Response, params: Record<string, unknown>): void {
  const target = params["redirect_uri"];
  if (typeof target === "string") allowFormTarget(response, target);
}

function send(response: Response, status: number, text: string): void {
  response.status(status).type("html").set("cache-control", "no-store").send(text);
}

/** A path of this forge; `/` for anything that leads elsewhere. */
function localPath(context: ForgeContext, text: unknown): string {
  const { origin } = new URL(context.url);
  if (typeof text !== "string" || !text.startsWith("/") || !URL.canParse(text, origin)) return "/";
  const url = new URL(text, origin);
  return url.origin === origin ? url.pathname + url.search : "/";
}
