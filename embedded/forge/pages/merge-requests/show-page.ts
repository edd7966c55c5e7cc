import { type Diff, type FileDiff, readDiff } from "../../compare/read-diff.ts";
import { mergeRequestPipelines } from "../../merge-requests/head-pipeline.ts";
import { canChange, canMergeInto, isDeveloper } from "../../merge-requests/merge-request-rights.ts";
import { type DetailedMergeStatus, detailedMergeStatus } from "../../merge-requests/merge-status.ts";
import { latestVersion } from "../../merge-requests/version.ts";
import type {
  MergeRequestRecord,
  MergeRequestVersionRecord,
  NoteRecord,
} from "../../store/merge-request-records.ts";
import { projectPath } from "../addresses.ts";
import { type DiffLine, diffTables } from "../diff-table.ts";
import { type Html, html, type Piece } from "../html.ts";
import { renderMarkdown } from "../markdown.ts";
import { csrfField } from "../page.ts";
import type { ProjectPage, ProjectVisit } from "../project-page.ts";
import { stateWord, statusList } from "../status-list.ts";
import { timeOf } from "../time-of.ts";
import { mergeRequestPath, mergeRequestsTab, visitedMergeRequest } from "./merge-request-visit.ts";
import { type Thread, threadsOf, threadView } from "./threads.ts";

const whyNot: Readonly<Record<Exclude<DetailedMergeStatus, "mergeable" | "not_open">, string>> = {
  checking: "Whether it can be merged is being looked at; load the page again.",
  draft_status: "It is a draft: take “Draft:” out of its title first.",
  commits_status: "There is nothing to merge.",
  discussions_not_resolved: "There are threads to resolve first.",
  conflict:
    "Both branches have changed the same lines: merge the target branch into the source branch first.",
  need_rebase: "The source branch has to be rebased first.",
  ci_must_pass: "The pipeline, or a status that programs have set, has to succeed first.",
  ci_still_running: "The pipeline is still running.",
};

const maxPipelines = 5; // shown; the others are in the list of pipelines

/** One merge request with all that is said about it. */
export const showPages: readonly ProjectPage[] = [
  {
    method: "GET",
    path: /^merge_requests\/(\d{1,9})$/,
    need: "code",
    handle: (visit, match) => show(visit, match[1]),
  },
];

async function show(visit: ProjectVisit, iid: string | undefined): Promise<void> {
  const { context, project } = visit;
  const mergeRequest = await visitedMergeRequest(visit, iid);
  const version = latestVersion(context, mergeRequest);
  const gitDir = context.repositories.path(project.id);
  const diff: Diff = version
    ? await readDiff(context.git, gitDir, version.base, version.head)
    : { files: [], isOverflow: false };
  const { statuses } = version ? await context.statuses.read(project.id, version.head) : { statuses: [] };
  const threads = threadsOf(visit, mergeRequest);
  const atLines = new Map<string, Thread[]>();
  const others: Thread[] = [];
  for (const thread of threads) {
    const key = version && placeKey(thread[0], version);
    if (key === undefined) others.push(thread);
    else atLines.set(key, [...(atLines.get(key) ?? []), thread]);
  }
  const shown = new Set<Thread>();
  const below = (file: FileDiff, line: DiffLine): Piece => {
    const here = atLines.get(keyOf(file, line)) ?? [];
    for (const thread of here) shown.add(thread);
    const said = here.map((thread) => threadView(visit, mergeRequest, thread));
    const form = isAsked(visit, file, line) && version && lineForm(visit, mergeRequest, version, file, line);
    return here.length > 0 || form ? [said, form] : undefined;
  };
  const changes = diffTables(diff, {
    below,
    linkOf: (file, line) => askAbout(visit, mergeRequest, file, line),
  });
  // Lines that the diff does not show.
  const beside = [...atLines.values()].flat().filter((thread) => !shown.has(thread));
  visit.send({
    title: `!${mergeRequest.iid} ${mergeRequest.title}`,
    tab: mergeRequestsTab,
    body: html`${await head(visit, mergeRequest)}${statusList(statuses)}
<h2>What is said</h2>${[...others, ...beside].map((thread) => threadView(visit, mergeRequest, thread))}${commentForm(visit, mergeRequest)}
<h2 id="changes">Changes</h2>${changes}`,
  });
}

async function head(visit: ProjectVisit, mergeRequest: MergeRequestRecord): Promise<Html> {
  const { context, project } = visit;
  const { title, iid, state, description, sourceBranch, targetBranch, authorId, createdAt } = mergeRequest;
  const author = context.store.users.get(authorId)?.name ?? "somebody who has left";
  const source = context.store.projects.get(mergeRequest.sourceProjectId);
  const from = source && source.id !== project.id ? `${source.fullPath}:${sourceBranch}` : sourceBranch;
  return html`<h1>${title} <span class="soft">!${iid}</span></h1>
<p class="path"><strong>${state}</strong> · ${author} wants to merge <code>${from}</code> into
<a href="${projectPath(project, "tree", targetBranch)}"><code>${targetBranch}</code></a> <span class="soft">${timeOf(createdAt)}</span>
${mergeRequest.labels.map((label) => html` · ${label}`)}</p>
${description !== "" && html`<div class="card">${renderMarkdown(description)}</div>`}
${await pipelines(visit, mergeRequest)}${await decisions(visit, mergeRequest)}`;
}

/** Its newest pipelines; those that only hold other programs' statuses have no page. */
async function pipelines(
  { context, project }: ProjectVisit,
  mergeRequest: MergeRequestRecord,
): Promise<Piece> {
  const found = await mergeRequestPipelines(context, mergeRequest);
  const here = found.filter(({ id }) => context.ci.store.pipelines.get(id)?.projectId === project.id);
  return here
    .slice(-maxPipelines)
    .map(
      ({ id, status }) =>
        html`<p>${stateWord(status)} <a href="${projectPath(project, "pipelines", id)}">pipeline #${id}</a></p>`,
    );
}

/** Approve, merge, close: what this visitor may do now, and why a merge is not possible. */
async function decisions(visit: ProjectVisit, mergeRequest: MergeRequestRecord): Promise<Html> {
  const { context, project, user } = visit;
  const names = mergeRequest.approvals.map(
    ({ userId }) => context.store.users.get(userId)?.name ?? "somebody",
  );
  const approved = names.length > 0 && html`<p class="good">Approved by ${names.join(", ")}</p>`;
  if (mergeRequest.state === "merged") {
    const { mergeCommit, mergedAt } = mergeRequest;
    return html`${approved}<p class="good">Merged${mergedAt && ` ${timeOf(mergedAt)}`}
${mergeCommit && html` as <a href="${projectPath(project, "commit", mergeCommit)}">${mergeCommit.slice(0, 8)}</a>`}</p>`;
  }
  const isMine = user !== undefined && mergeRequest.approvals.some(({ userId }) => userId === user.id);
  const isOpen = mergeRequest.state === "opened";
  const status = isOpen ? await detailedMergeStatus(context, mergeRequest) : "not_open";
  const reason = status === "mergeable" || status === "not_open" ? undefined : whyNot[status];
  const mayMerge = status === "mergeable" && canMergeInto(context, project, mergeRequest.targetBranch, user);
  const mayApprove = isOpen && isDeveloper(context, project, user);
  const mayClose = canChange(context, project, mergeRequest, user);
  const action = (name: string, label: string, kind: string, more?: Piece) =>
    html`<form method="post" action="${mergeRequestPath(visit, mergeRequest, name)}">${csrfField(visit.csrf)}${more}
<button type="submit" class="${kind}">${label}</button></form>`;
  const sha = latestVersion(context, mergeRequest)?.head;
  const seen = sha !== undefined && html`<input type="hidden" name="sha" value="${sha}">`;
  const conflicts = mergeRequest.checked?.conflicts ?? [];
  return html`${approved}${reason !== undefined && html`<p class="notice">${reason}</p>`}
${status === "conflict" && html`<ul>${conflicts.slice(0, 50).map((path) => html`<li><code>${path}</code></li>`)}</ul>`}
<div class="row">${mayMerge && action("merge", "Merge", "", seen)}
${mayApprove && (isMine ? action("unapprove", "Take the approval back", "plain") : action("approve", "Approve", "", seen))}
${mayClose && (isOpen ? action("close", "Close", "plain") : action("reopen", "Reopen", "plain"))}</div>`;
}

function commentForm(visit: ProjectVisit, mergeRequest: MergeRequestRecord): Piece {
  if (!visit.user) return undefined;
  return html`<form method="post" action="${mergeRequestPath(visit, mergeRequest, "notes")}">${csrfField(visit.csrf)}
<label for="body">Say something</label><textarea id="body" name="body" rows="4" required></textarea>
<button type="submit">Comment</button><button type="submit" name="thread" value="true" class="plain">Start a thread to be resolved</button></form>`;
}

function lineForm(
  visit: ProjectVisit,
  mergeRequest: MergeRequestRecord,
  version: MergeRequestVersionRecord,
  file: FileDiff,
  line: DiffLine,
): Html {
  const hidden = Object.entries({
    base_sha: version.base,
    start_sha: version.start,
    head_sha: version.head,
    old_path: file.oldPath,
    new_path: file.newPath,
    old_line: line.oldLine ?? "",
    new_line: line.newLine ?? "",
  }).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`);
  return html`<form id="ask" method="post" action="${mergeRequestPath(visit, mergeRequest, "notes")}">${csrfField(visit.csrf)}${hidden}
<label for="line_body">About this line</label><textarea id="line_body" name="body" rows="3" required autofocus></textarea>
<button type="submit">Start a thread</button></form>`;
}

/** Where to ask for the form below a line. */
function askAbout(
  visit: ProjectVisit,
  mergeRequest: MergeRequestRecord,
  file: FileDiff,
  line: DiffLine,
): string | undefined {
  if (!visit.user || line.kind === "hunk" || line.kind === "note") return undefined;
  const parameters = new URLSearchParams({ file: file.newPath, at: lineName(line) });
  return `${mergeRequestPath(visit, mergeRequest)}?${parameters}#ask`;
}

function isAsked({ request, user }: ProjectVisit, file: FileDiff, line: DiffLine): boolean {
  const { file: path, at } = request.query;
  return (
    user !== undefined &&
    path === file.newPath &&
    at === lineName(line) &&
    line.kind !== "hunk" &&
    line.kind !== "note"
  );
}

function lineName({ oldLine, newLine }: DiffLine): string {
  return `${oldLine ?? ""}_${newLine ?? ""}`;
}

function keyOf(file: FileDiff, line: DiffLine): string {
  return `${file.oldPath}\0${file.newPath}\0${lineName(line)}`;
}

/** The line of the newest version that a thread stands at; `undefined` for one about another version, or about none. */
function placeKey(first: NoteRecord | undefined, version: MergeRequestVersionRecord): string | undefined {
  const position = first?.position;
  if (!position || position.headSha !== version.head || position.baseSha !== version.base) return undefined;
  const { oldPath, newPath, oldLine, newLine } = position;
  return `${oldPath}\0${newPath}\0${oldLine ?? ""}_${newLine ?? ""}`;
}
