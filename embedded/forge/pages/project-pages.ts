import type { NextFunction, Request, Response } from "express";
import { accessLevels } from "../access/access-level.ts";
import { canReadCode, canSeeProject, projectLevel } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { browserSession, sessionUser } from "../oidc/sessions.ts";
import type { Need } from "../projects/find-project.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";
import { projectPath } from "./addresses.ts";
import { branchesPages } from "./branches-page.ts";
import { commitsPages } from "./commits-page.ts";
import { filesPages } from "./files-page.ts";
import type { Forms } from "./forms.ts";
import { type Html, html, type Piece } from "./html.ts";
import { formPages } from "./merge-requests/form-pages.ts";
import { listPages } from "./merge-requests/list-page.ts";
import { mergeRequestsTab } from "./merge-requests/merge-request-visit.ts";
import { showPages } from "./merge-requests/show-page.ts";
import { page } from "./page.ts";
import { PageError } from "./page-error.ts";
import { jobPages } from "./pipelines/job-page.ts";
import { pipelineListPages } from "./pipelines/list-page.ts";
import { pipelinesTab } from "./pipelines/pipeline-visit.ts";
import { pipelineShowPages } from "./pipelines/show-page.ts";
import type { ProjectPage, ProjectVisit } from "./project-page.ts";

const all: readonly ProjectPage[] = [
  ...filesPages,
  ...commitsPages,
  ...branchesPages,
  ...listPages,
  ...showPages,
  ...formPages,
  ...pipelineListPages,
  ...pipelineShowPages,
  ...jobPages,
];
const tabs = [
  ["Files", []],
  ["Commits", ["commits"]],
  ["Branches", ["branches"]],
  [mergeRequestsTab, ["merge_requests"]],
  [pipelinesTab, ["pipelines"]],
] as const;

/** `/<full path>` and `/<full path>/-/...`, for whoever may see the project; everything else goes on. */
export function projectPages(context: ForgeContext, forms: Forms) {
  const { store } = context;
  return async (request: Request, response: Response, next: NextFunction): Promise<void> => {
    const [, path = "", rest = ""] = /^\/(.+?)(?:\/-\/(.*))?$/.exec(decoded(request.path)) ?? [];
    const project = store.projectsByPath.first(path.replace(/\/$/, "").toLowerCase());
    const user = sessionUser(request);
    if (!project || !canSeeProject(store, user, project, context.clock())) return next();
    const method = request.method === "HEAD" ? "GET" : request.method;
    for (const each of all) {
      const match = each.method === method ? each.path.exec(rest) : null;
      if (!match) continue;
      if (method === "POST") forms.check(request, response);
      checkNeed(context, user, project, each.need);
      await each.handle(visitOf(context, forms, { request, response, user, project }), match);
      return;
    }
    next();
  };
}

function visitOf(
  context: ForgeContext,
  forms: Forms,
  of: Pick<ProjectVisit, "request" | "response" | "user" | "project">,
): ProjectVisit {
  const { request, response, project } = of;
  const csrf = forms.token(request, response);
  const session = browserSession(request);
  return {
    ...of,
    context,
    csrf,
    send: ({ title, tab, body, refreshS }) => {
      const signedIn = session && { user: session.user, csrf };
      const shown = page({
        title: `${title} · ${project.fullPath}`,
        body: [heading(project, tab), body],
        signedIn,
        refreshS,
      });
      response.type("html").set("cache-control", "no-store").send(shown.text);
    },
  };
}

function heading(project: ProjectRecord, current: string): Html {
  const links: Piece[] = tabs.map(([name, parts]) => {
    const here = name === current ? html` aria-current="page"` : "";
    return html`<a href="${projectPath(project, ...parts)}"${here}>${name}</a>`;
  });
  return html`<p class="path"><a href="/">Projects</a> / <a href="${projectPath(project)}">${project.fullPath}</a></p>
<nav class="tabs" aria-label="Project">${links}</nav>`;
}

function checkNeed(
  context: ForgeContext,
  user: UserRecord | undefined,
  project: ProjectRecord,
  need: Need,
): void {
  const now = context.clock();
  const { store } = context;
  const isEnough =
    need === "see" ||
    (need === "code"
      ? canReadCode(store, user, project, now)
      : projectLevel(store, user, project, now) >= accessLevels[need]);
  if (!isEnough)
    throw new PageError(403, "You may not do this", "Ask a maintainer of the project for a higher role.");
}

/** A broken percent code names nothing. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return "";
  }
}
