import { isDeveloper } from "../merge-requests/merge-request-rights.ts";
import { isProtected } from "../repository/branch-protection.ts";
import { listHeads } from "../repository/list-heads.ts";
import { projectPath } from "./addresses.ts";
import { html } from "./html.ts";
import { pageLinks, pageNumber } from "./page-links.ts";
import type { ProjectPage, ProjectVisit } from "./project-page.ts";

const perPage = 100;

export const branchesPages: readonly ProjectPage[] = [
  { method: "GET", path: /^branches$/, need: "code", handle: showBranches },
];

async function showBranches(visit: ProjectVisit): Promise<void> {
  const { context, project, request } = visit;
  const heads = await listHeads(context, project);
  const number = pageNumber(request);
  const rows = heads.slice((number - 1) * perPage, number * perPage).map(
    ({ name, id }) => html`<li><a href="${projectPath(project, "tree", name)}"><strong>${name}</strong></a>
${name === project.defaultBranch && html` <span class="soft">default</span>`}
${isProtected(project, name) && html` <span class="soft">protected</span>`}
<br><a href="${projectPath(project, "commit", id)}">${id.slice(0, 8)}</a> · <a href="${projectPath(project, "commits", name)}">commits</a>
${name !== project.defaultBranch && isDeveloper(context, project, visit.user) && html` · <a href="${projectPath(project, "merge_requests", "new")}?${new URLSearchParams({ source_branch: name }).toString()}">new merge request</a>`}</li>`,
  );
  visit.send({
    title: "Branches",
    tab: "Branches",
    body: html`<h1>Branches</h1>${rows.length === 0 && html`<p>Nothing has been pushed yet.</p>`}<ul class="plain">${rows}</ul>
${pageLinks(request, number, heads.length > number * perPage)}`,
  });
}
