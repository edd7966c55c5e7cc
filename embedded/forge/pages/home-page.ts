import type { NextFunction, Request, Response } from "express";
import { canSeeProject } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { browserSession, sessionUser } from "../oidc/sessions.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";
import { projectPath } from "./addresses.ts";
import type { Forms } from "./forms.ts";
import { html } from "./html.ts";
import { page } from "./page.ts";
import { pageLinks, pageNumber } from "./page-links.ts";

const perPage = 50;

/** Projects one may see: all at `/`, those of a group or user at `/groups/<path>` and `/<path>`. Everything else goes on. */
export function homePage(context: ForgeContext, forms: Forms) {
  return (request: Request, response: Response, next: NextFunction): void => {
    const list = request.method === "GET" ? listAt(context, sessionUser(request), request.path) : undefined;
    if (!list) {
      next();
      return;
    }
    const number = pageNumber(request);
    const { title, projects } = list;
    const body = html`<h1>${title}</h1>
${projects.length === 0 && html`<p>You are not a member of any project yet.</p>`}
<ul class="plain">${projects.slice((number - 1) * perPage, number * perPage).map(row)}</ul>
${pageLinks(request, number, projects.length > number * perPage)}`;
    const session = browserSession(request);
    const signedIn = session && { user: session.user, csrf: forms.token(request, response) };
    response.type("html").set("cache-control", "no-store").send(page({ title, body, signedIn }).text);
  };
}

/** Whether a group is there is its members' affair: without a project that somebody may see it is not told. */
function listAt(
  { store, clock }: ForgeContext,
  user: UserRecord | undefined,
  path: string,
): { title: string; projects: ProjectRecord[] } | undefined {
  const wanted = /^\/(?:groups\/)?([\w./-]*?)\/?$/.exec(path)?.[1]?.toLowerCase();
  const namespace = wanted === undefined ? undefined : store.namespacesByPath.first(wanted);
  if (wanted !== "" && !namespace) return undefined;
  const now = clock();
  const projects = store.projects
    .all()
    .filter(({ fullPath }) => !namespace || fullPath.toLowerCase().startsWith(`${wanted}/`))
    .filter((project) => canSeeProject(store, user, project, now))
    .sort((a, b) => (a.lastActivityAt < b.lastActivityAt ? 1 : -1));
  if (projects.length === 0 && (namespace || !user)) return undefined;
  return { title: namespace?.fullPath ?? "Projects", projects };
}

function row(project: ProjectRecord) {
  return html`<li><a href="${projectPath(project)}"><strong>${project.fullPath}</strong></a>
${project.description && html`<br>${project.description}`}
<br><span class="soft">${project.visibility}, last changed ${project.lastActivityAt.slice(0, 16).replace("T", " ")} UTC</span></li>`;
}
