import { readDiff } from "../compare/read-diff.ts";
import type { GitCommit } from "../git/commit.ts";
import { emptyTree } from "../git/empty-tree.ts";
import { Parameters } from "../http/parameters.ts";
import { listCommits } from "../repository/list-commits.ts";
import { projectPath } from "./addresses.ts";
import { diffTables } from "./diff-table.ts";
import { findRef } from "./find-ref.ts";
import { type Html, html } from "./html.ts";
import { PageError } from "./page-error.ts";
import { pageLinks, pageNumber } from "./page-links.ts";
import type { ProjectPage, ProjectVisit } from "./project-page.ts";
import { stateWord, statusList } from "./status-list.ts";

const perPage = 30;

/** History, and single commits with what programs have said about them. */
export const commitsPages: readonly ProjectPage[] = [
  {
    method: "GET",
    path: /^commits(?:\/(.+))?$/s,
    need: "code",
    handle: (visit, match) => showCommits(visit, match[1]),
  },
  {
    method: "GET",
    path: /^commit\/([0-9a-f]{4,40})$/,
    need: "code",
    handle: (visit, match) => showCommit(visit, match[1] ?? ""),
  },
];

async function showCommits(visit: ProjectVisit, rest: string | undefined): Promise<void> {
  const { context, project, request } = visit;
  if (project.empty && rest === undefined) {
    visit.send({
      title: "Commits",
      tab: "Commits",
      body: html`<h1>Commits</h1><p>Nothing has been pushed yet.</p>`,
    });
    return;
  }
  const ref = await findRef(context, project, rest ?? project.defaultBranch);
  const page = { page: pageNumber(request), perPage };
  const found = await listCommits(context, project, new Parameters({ ref_name: ref.commit.id }), page);
  const rows = await Promise.all((found?.commits ?? []).map((commit) => row(visit, commit)));
  visit.send({
    title: `Commits of ${ref.name}`,
    tab: "Commits",
    body: html`<h1>Commits of ${ref.name}</h1><ul class="plain">${rows}</ul>
${pageLinks(request, page.page, found?.hasNext ?? false)}`,
  });
}

async function row({ context, project }: ProjectVisit, commit: GitCommit): Promise<Html> {
  const { statuses } = await context.statuses.read(project.id, commit.id);
  const states = [...new Set(statuses.filter((each) => !each.retried).map((each) => each.status))];
  return html`<li><a href="${projectPath(project, "commit", commit.id)}">${titleOf(commit)}</a>
<br><span class="soft">${commit.id.slice(0, 8)} · ${commit.author.name} · ${dateOf(commit)}</span> ${states.map((state) => html` ${stateWord(state)}`)}</li>`;
}

async function showCommit(visit: ProjectVisit, id: string): Promise<void> {
  const { context, project } = visit;
  const gitDir = context.repositories.path(project.id);
  const commit = await context.objects.resolve(gitDir, id);
  if (!commit) throw new PageError(404, "There is no such commit", "It may belong to another project.");
  const { statuses } = await context.statuses.read(project.id, commit.id);
  const diff = await readDiff(context.git, gitDir, commit.parents[0] ?? emptyTree, commit.id);
  const rest = commit.message.split("\n").slice(1).join("\n").trim();
  visit.send({
    title: titleOf(commit),
    tab: "Commits",
    body: html`<h1>${titleOf(commit)}</h1>
<p class="path"><code>${commit.id}</code> by ${commit.author.name}, <span class="soft">${dateOf(commit)}</span> ·
<a href="${projectPath(project, "tree", commit.id)}">files</a>
${commit.parents.map((parent) => html` · <a href="${projectPath(project, "commit", parent)}">parent ${parent.slice(0, 8)}</a>`)}</p>
${rest !== "" && html`<pre class="log">${rest}</pre>`}
${statusList(statuses)}
<h2>Changes</h2>${diffTables(diff)}`,
  });
}

function titleOf({ message, id }: GitCommit): string {
  return message.split("\n", 1)[0] || id.slice(0, 8);
}

function dateOf({ committer }: GitCommit): string {
  return `${new Date(committer.date).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
