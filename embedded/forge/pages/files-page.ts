import { httpUrl } from "../projects/project-json.ts";
import { sendRaw } from "../repository/send-raw.ts";
import { listTree, type TreeEntry, treeEntries } from "../repository/tree-entries.ts";
import { projectPath } from "./addresses.ts";
import { type FoundRef, findRef } from "./find-ref.ts";
import { type Html, html, type Piece } from "./html.ts";
import { renderMarkdown } from "./markdown.ts";
import { PageError } from "./page-error.ts";
import type { ProjectPage, ProjectVisit } from "./project-page.ts";

const maxShown = 512 * 1024; // bytes of a file on a page
const maxRaw = 100 * 1024 * 1024; // bytes of a file as it is; it is answered from memory
const maxEntries = 2_000; // of a folder on a page

/** Files of a project at a branch, tag or commit. */
export const filesPages: readonly ProjectPage[] = [
  { method: "GET", path: /^$/, need: "see", handle: showProject },
  {
    method: "GET",
    path: /^tree\/(.+)$/s,
    need: "code",
    handle: (visit, match) => showFolder(visit, match[1] ?? ""),
  },
  {
    method: "GET",
    path: /^blob\/(.+)$/s,
    need: "code",
    handle: (visit, match) => showFile(visit, match[1] ?? ""),
  },
  {
    method: "GET",
    path: /^raw\/(.+)$/s,
    need: "code",
    handle: (visit, match) => sendFile(visit, match[1] ?? ""),
  },
];

async function showProject(visit: ProjectVisit): Promise<void> {
  const { context, project } = visit;
  const clone = html`<p>Clone it: <code>git clone ${httpUrl(context, project)}</code></p>`;
  const title = html`<h1>${project.name}</h1>${project.description && html`<p>${project.description}</p>`}`;
  if (project.empty) {
    visit.send({
      title: "Files",
      tab: "Files",
      body: html`${title}<p>Nothing has been pushed yet.</p>${clone}`,
    });
    return;
  }
  const ref = await findRef(context, project, project.defaultBranch);
  visit.send({ title: "Files", tab: "Files", body: html`${title}${await folder(visit, ref)}${clone}` });
}

async function showFolder(visit: ProjectVisit, rest: string): Promise<void> {
  const ref = await findRef(visit.context, visit.project, rest);
  const title = ref.path === "" ? ref.name : `${ref.path} at ${ref.name}`;
  visit.send({ title, tab: "Files", body: html`<h1>${title}</h1>${await folder(visit, ref)}` });
}

async function folder({ context, project }: ProjectVisit, ref: FoundRef): Promise<Html> {
  const { git, repositories } = context;
  const gitDir = repositories.path(project.id);
  const entries = await listTree(git, gitDir, ref.commit.id, { path: ref.path, recursive: false });
  if (!entries) throw notThere();
  const readme = entries.find(
    ({ type, path }) => type === "blob" && /^readme(\.md|\.markdown|\.txt)?$/i.test(nameOf(path)),
  );
  const rows = sorted(entries)
    .slice(0, maxEntries)
    .map((entry) => html`<li>${link(entry, project, ref)}</li>`);
  const up = ref.path.includes("/") ? ref.path.slice(0, ref.path.lastIndexOf("/")) : "";
  const parent =
    ref.path !== "" &&
    html`<li><a href="${projectPath(project, "tree", ref.name, ...(up === "" ? [] : [up]))}">..</a></li>`;
  const { message, author } = ref.commit;
  return html`<p class="path">${ref.name}: <a href="${projectPath(project, "commit", ref.commit.id)}">${ref.commit.id.slice(0, 8)}</a>
${message.split("\n", 1)[0]} <span class="soft">by ${author.name}</span></p>
<ul class="plain">${parent}${rows}</ul>
${entries.length > maxEntries && html`<p class="soft">${entries.length - maxEntries} more.</p>`}
${readme && (await readmeOf({ context, project }, ref, readme))}`;
}

async function readmeOf(
  visit: Pick<ProjectVisit, "context" | "project">,
  ref: FoundRef,
  entry: TreeEntry,
): Promise<Piece> {
  const { text } = await readText(visit, entry, maxShown);
  if (text === undefined) return undefined;
  return html`<article class="card"><h2 class="path">${nameOf(entry.path)}</h2>${rendered(visit, ref, entry, text)}</article>`;
}

function rendered(
  { project }: Pick<ProjectVisit, "project">,
  ref: FoundRef,
  entry: TreeEntry,
  text: string,
): Html {
  if (!/\.(md|markdown)$/i.test(entry.path)) return html`<pre class="log">${text}</pre>`;
  const folderOf = entry.path.includes("/") ? entry.path.slice(0, entry.path.lastIndexOf("/")) : undefined;
  return renderMarkdown(
    text,
    `${projectPath(project, "blob", ref.name, ...(folderOf === undefined ? [] : [folderOf]))}/`,
  );
}

async function showFile(visit: ProjectVisit, rest: string): Promise<void> {
  const { project } = visit;
  const { ref, entry } = await findFile(visit, rest);
  const raw = projectPath(project, "raw", ref.name, ref.path);
  const { text, isCut } = await readText(visit, entry, maxShown);
  const shown =
    text === undefined
      ? html`<p>This file is no text.</p>`
      : isCut
        ? html`<pre>${text}</pre><p class="notice">The file goes on; this is its beginning.</p>`
        : rendered(visit, ref, entry, text);
  visit.send({
    title: ref.path,
    tab: "Files",
    body: html`<h1>${ref.path}</h1>
<p class="path"><a href="${projectPath(project, "tree", ref.name)}">${ref.name}</a> · <a href="${raw}">as it is</a> ·
<a href="${projectPath(project, "commits", ref.name)}">history</a></p>${shown}`,
  });
}

async function sendFile(visit: ProjectVisit, rest: string): Promise<void> {
  const { context, project, response } = visit;
  const { ref, entry } = await findFile(visit, rest);
  const gitDir = context.repositories.path(project.id);
  const { stdout } = await context.git.run(gitDir, ["cat-file", "blob", entry.id], {
    maxOutputBytes: maxRaw,
  });
  response.set("content-security-policy", "default-src 'none'; sandbox");
  sendRaw(response, stdout, nameOf(ref.path));
}

async function findFile(
  { context, project }: ProjectVisit,
  rest: string,
): Promise<{ ref: FoundRef; entry: TreeEntry }> {
  const ref = await findRef(context, project, rest);
  const gitDir = context.repositories.path(project.id);
  const [entry] = ref.path === "" ? [] : await treeEntries(context.git, gitDir, ref.commit.id, [ref.path]);
  if (entry?.type !== "blob") throw notThere();
  return { ref, entry };
}

/** `text` is `undefined` for what is no text. */
async function readText(
  { context, project }: Pick<ProjectVisit, "context" | "project">,
  entry: TreeEntry,
  maxOutputBytes: number,
): Promise<{ text: string | undefined; isCut: boolean }> {
  const gitDir = context.repositories.path(project.id);
  const options = { maxOutputBytes, cut: true };
  const { stdout, isCut } = await context.git.run(gitDir, ["cat-file", "blob", entry.id], options);
  return { text: stdout.includes(0) ? undefined : stdout.toString("utf8"), isCut };
}

function link({ type, path }: TreeEntry, project: ProjectVisit["project"], ref: FoundRef): Piece {
  if (type === "commit") return html`${nameOf(path)} <span class="soft">another repository</span>`;
  const kind = type === "tree" ? "tree" : "blob";
  return html`<a href="${projectPath(project, kind, ref.name, path)}">${nameOf(path)}${type === "tree" && "/"}</a>`;
}

/** Folders first. */
function sorted(entries: readonly TreeEntry[]): TreeEntry[] {
  const isFolder = (entry: TreeEntry) => (entry.type === "tree" ? 0 : 1);
  return [...entries].sort((a, b) => isFolder(a) - isFolder(b) || (a.path < b.path ? -1 : 1));
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function notThere(): PageError {
  return new PageError(404, "There is no such file or folder", "It may be there at another branch.");
}
