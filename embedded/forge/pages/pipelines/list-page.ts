import { isDeveloper } from "../../merge-requests/merge-request-rights.ts";
import type { CiPipeline, GivenVariable } from "../../pipelines/ci-records.ts";
import { createPipeline } from "../../pipelines/create-pipeline.ts";
import { checked } from "../../pipelines/given-variables.ts";
import { listHeads } from "../../repository/list-heads.ts";
import { projectPath } from "../addresses.ts";
import { field } from "../form-field.ts";
import { type Html, html } from "../html.ts";
import { csrfField } from "../page.ts";
import { PageError } from "../page-error.ts";
import { pageLinks, pageNumber } from "../page-links.ts";
import type { ProjectPage, ProjectVisit } from "../project-page.ts";
import { signedInUser } from "../signed-in-user.ts";
import { stateWord } from "../status-list.ts";
import { timeOf } from "../time-of.ts";
import { pipelinesTab } from "./pipeline-visit.ts";

const perPage = 30;
const maxBranches = 500; // in a list to choose from
const maxVariables = 100; // as of the API

/** Pipelines of a project, and starting one. */
export const pipelineListPages: readonly ProjectPage[] = [
  { method: "GET", path: /^pipelines$/, need: "code", handle: showList },
  { method: "GET", path: /^pipelines\/new$/, need: "developer", handle: showNew },
  { method: "POST", path: /^pipelines$/, need: "developer", handle: run },
];

function showList(visit: ProjectVisit): void {
  const { context, project, request, user } = visit;
  const { store } = context.ci;
  const found = store.pipelinesByProject
    .all(String(project.id))
    .filter(({ source }) => source !== "parent_pipeline")
    .sort((a, b) => b.id - a.id);
  const number = pageNumber(request);
  const rows = found.slice((number - 1) * perPage, number * perPage).map((each) => row(visit, each));
  visit.send({
    title: pipelinesTab,
    tab: pipelinesTab,
    body: html`<h1>${pipelinesTab}</h1>
${isDeveloper(context, project, user) && html`<p><a href="${projectPath(project, "pipelines", "new")}">Run a pipeline</a></p>`}
${!context.ci.exchange && html`<p class="notice">There is no container engine here to run jobs with; no pipeline can be started.</p>`}
${rows.length === 0 && html`<p>There are none.</p>`}<ul class="plain">${rows}</ul>
${pageLinks(request, number, found.length > number * perPage)}`,
  });
}

export function row({ context, project }: ProjectVisit, pipeline: CiPipeline): Html {
  const { id, name, ref, sha, status, source, userId, createdAt } = pipeline;
  const who = context.store.users.get(userId)?.name ?? "somebody who has left";
  return html`<li>${stateWord(status)} <a href="${projectPath(project, "pipelines", id)}"><strong>#${id}</strong> ${name}</a>
<br><span class="soft">${ref} at <a href="${projectPath(project, "commit", sha)}">${sha.slice(0, 8)}</a> · ${source} · ${who} · ${timeOf(createdAt)}</span></li>`;
}

async function showNew(visit: ProjectVisit): Promise<void> {
  const { context, project, request, csrf } = visit;
  const heads = (await listHeads(context, project)).slice(0, maxBranches);
  const asked = request.query["ref"];
  const chosen = typeof asked === "string" ? asked : project.defaultBranch;
  visit.send({
    title: "Run a pipeline",
    tab: pipelinesTab,
    body: html`<h1>Run a pipeline</h1>
<form method="post" action="${projectPath(project, "pipelines")}">${csrfField(csrf)}
<label for="ref">Branch</label><select id="ref" name="ref" required>${heads.map(({ name }) => html`<option${name === chosen && html` selected`}>${name}</option>`)}</select>
<label for="variables">Variables</label>
<textarea id="variables" name="variables" rows="5" spellcheck="false" aria-describedby="how" placeholder="DTName=my-twin"></textarea>
<p class="soft" id="how">One in a line, as NAME=value.</p>
<button type="submit">Run</button></form>`,
  });
}

async function run(visit: ProjectVisit): Promise<void> {
  const { context, project, request, response } = visit;
  const pipeline = await createPipeline(context, {
    project,
    user: signedInUser(visit),
    ref: field(request, "ref"),
    source: "web",
    variables: variablesIn(field(request, "variables")),
  });
  response.redirect(303, projectPath(project, "pipelines", ...(pipeline ? [pipeline.id] : [])));
}

/** `PageError` 400 for a line that is no variable. */
export function variablesIn(text: string): GivenVariable[] {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  if (lines.length > maxVariables)
    throw new PageError(400, "Too many variables", `There may be ${maxVariables}.`);
  return lines.map((line) => {
    const [, key, value = ""] = /^\s*([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)$/.exec(line) ?? [];
    if (key === undefined)
      throw new PageError(400, "This is no variable", `Write NAME=value in place of: ${line.slice(0, 100)}`);
    return checked({ key, value, type: "env_var", raw: false });
  });
}
