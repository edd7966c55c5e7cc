import { Parameters } from "../../http/parameters.ts";
import { createMergeRequest } from "../../merge-requests/create-merge-request.ts";
import { listMergeRequests } from "../../merge-requests/list-merge-requests.ts";
import { isDeveloper } from "../../merge-requests/merge-request-rights.ts";
import { listHeads } from "../../repository/list-heads.ts";
import type { MergeRequestRecord } from "../../store/merge-request-records.ts";
import { projectPath } from "../addresses.ts";
import { field } from "../form-field.ts";
import { type Html, html } from "../html.ts";
import { csrfField } from "../page.ts";
import { pageLinks, pageNumber } from "../page-links.ts";
import type { ProjectPage, ProjectVisit } from "../project-page.ts";
import { signedInUser } from "../signed-in-user.ts";
import { timeOf } from "../time-of.ts";
import { mergeRequestPath, mergeRequestsTab } from "./merge-request-visit.ts";

const perPage = 30;
const maxBranches = 500; // in a list to choose from
const states = ["opened", "merged", "closed", "all"] as const;

/** Merge requests of a project, and opening one. */
export const listPages: readonly ProjectPage[] = [
  { method: "GET", path: /^merge_requests$/, need: "code", handle: showList },
  { method: "GET", path: /^merge_requests\/new$/, need: "developer", handle: showNew },
  { method: "POST", path: /^merge_requests$/, need: "developer", handle: open },
];

function showList(visit: ProjectVisit): void {
  const { context, project, request, user } = visit;
  const asked = request.query["state"];
  const state = states.find((each) => each === asked) ?? "opened";
  const all = context.store.mergeRequestsByProject.all(String(project.id));
  const found = listMergeRequests(context, all, new Parameters({ state }), user);
  const number = pageNumber(request);
  const rows = found.slice((number - 1) * perPage, number * perPage).map((each) => row(visit, each));
  const address = projectPath(project, "merge_requests");
  const filters = states.map((each) => {
    const here = each === state ? html` aria-current="page"` : "";
    return html`<a href="${address}?state=${each}"${here}>${each}</a>`;
  });
  visit.send({
    title: mergeRequestsTab,
    tab: mergeRequestsTab,
    body: html`<h1>${mergeRequestsTab}</h1><nav class="tabs" aria-label="State">${filters}</nav>
${isDeveloper(context, project, user) && html`<p><a href="${address}/new">New merge request</a></p>`}
${rows.length === 0 && html`<p>There are none.</p>`}<ul class="plain">${rows}</ul>
${pageLinks(request, number, found.length > number * perPage)}`,
  });
}

function row(visit: ProjectVisit, mergeRequest: MergeRequestRecord): Html {
  const { iid, title, state, sourceBranch, targetBranch, updatedAt, labels } = mergeRequest;
  return html`<li><a href="${mergeRequestPath(visit, mergeRequest)}"><strong>${title}</strong></a>
<br><span class="soft">!${iid} · ${state} · ${sourceBranch} → ${targetBranch} · ${timeOf(updatedAt)} ${labels.map((label) => ` · ${label}`)}</span></li>`;
}

async function showNew(visit: ProjectVisit): Promise<void> {
  const { context, project, request, csrf } = visit;
  const heads = (await listHeads(context, project)).slice(0, maxBranches);
  const asked = request.query["source_branch"];
  const option = (name: string, isChosen: boolean) =>
    html`<option${isChosen && html` selected`}>${name}</option>`;
  const sources = heads.filter(({ name }) => name !== project.defaultBranch);
  visit.send({
    title: "New merge request",
    tab: mergeRequestsTab,
    body: html`<h1>New merge request</h1>
${sources.length === 0 && html`<p>Push a branch first: <code>git push origin HEAD:my-change</code></p>`}
<form method="post" action="${projectPath(project, "merge_requests")}">${csrfField(csrf)}
<label for="source_branch">From</label><select id="source_branch" name="source_branch" required>${sources.map(({ name }) => option(name, name === asked))}</select>
<label for="target_branch">Into</label><select id="target_branch" name="target_branch" required>${heads.map(({ name }) => option(name, name === project.defaultBranch))}</select>
<label for="title">Title</label><input type="text" id="title" name="title" maxlength="255" required>
<label for="description">Description</label><textarea id="description" name="description" rows="6"></textarea>
<button type="submit">Open</button></form>`,
  });
}

async function open(visit: ProjectVisit): Promise<void> {
  const { context, project, request, response } = visit;
  const made = await createMergeRequest(context, signedInUser(visit), {
    source: project,
    target: project,
    sourceBranch: field(request, "source_branch"),
    targetBranch: field(request, "target_branch"),
    title: field(request, "title"),
    description: field(request, "description"),
  });
  response.redirect(303, mergeRequestPath(visit, made));
}
