import { readTrace, traceFrom } from "../../jobs/read-trace.ts";
import type { CiJob, CiPipeline } from "../../pipelines/ci-records.ts";
import { jobDuration } from "../../pipelines/durations.ts";
import { cancelJob, playJob, retryJob } from "../../pipelines/job-actions.ts";
import { isComplete } from "../../pipelines/state/composite-status.ts";
import { projectPath } from "../addresses.ts";
import { field } from "../form-field.ts";
import { html, type Piece } from "../html.ts";
import { csrfField } from "../page.ts";
import type { ProjectPage, ProjectVisit } from "../project-page.ts";
import { stateWord } from "../status-list.ts";
import { variablesIn } from "./list-page.ts";
import { changer, mayChange, pipelinesTab, visitedJob, visitedPipeline } from "./pipeline-visit.ts";
import { plainTrace } from "./plain-trace.ts";

const refreshS = 3; // of a page whose job goes on
const maxShown = 256 * 1024; // bytes of the end of a trace; all of it is sent as it is

/** One job with its trace, which the page asks for again while it grows. */
export const jobPages: readonly ProjectPage[] = [
  {
    method: "GET",
    path: /^jobs\/(\d{1,12})$/,
    need: "code",
    handle: (visit, match) => show(visit, match[1]),
  },
  {
    method: "GET",
    path: /^jobs\/(\d{1,12})\/raw$/,
    need: "code",
    handle: (visit, match) => sendTrace(visit, match[1]),
  },
  {
    method: "POST",
    path: /^jobs\/(\d{1,12})\/play$/,
    need: "code",
    handle: (visit, match) => play(visit, match[1]),
  },
  {
    method: "POST",
    path: /^jobs\/(\d{1,12})\/retry$/,
    need: "code",
    handle: (visit, match) => retry(visit, match[1]),
  },
  {
    method: "POST",
    path: /^jobs\/(\d{1,12})\/cancel$/,
    need: "code",
    handle: (visit, match) => cancel(visit, match[1]),
  },
];

async function show(visit: ProjectVisit, id: string | undefined): Promise<void> {
  const { context, project } = visit;
  const job = visitedJob(visit, id);
  const pipeline = visitedPipeline(visit, String(job.pipelineId));
  const { size } = await traceFrom(context, job, 0, 0);
  const { bytes } = await traceFrom(context, job, Math.max(size - maxShown, 0), maxShown);
  const { name, stage } = job.plan;
  const seconds = jobDuration(job, context.clock());
  const goesOn = !isComplete(job.status) && job.status !== "manual";
  const raw = projectPath(project, "jobs", job.id, "raw");
  visit.send({
    title: `${name} #${job.id}`,
    tab: pipelinesTab,
    refreshS: goesOn ? refreshS : undefined,
    body: html`<h1>${name} ${stateWord(job.status)}</h1>
<p class="path"><a href="${projectPath(project, "pipelines", pipeline.id)}">pipeline #${pipeline.id}</a> · ${stage} · ${pipeline.ref}
${seconds !== null && ` · ${seconds.toFixed(1)} s`}${job.exitCode !== null && ` · exit code ${job.exitCode}`}
${job.failureReason !== null && html` · <span class="bad">${job.failureReason.replaceAll("_", " ")}</span>`}</p>
${jobActions(visit, pipeline, job)}
${size > maxShown && html`<p class="notice">This is the end of it. <a href="${raw}">All of it</a></p>`}
<pre class="log" tabindex="0" aria-label="Trace">${plainTrace(bytes.toString("utf8"))}</pre>
<p>${goesOn ? html`<span class="soft">This page is loaded again every ${refreshS} seconds.</span>` : html`<a href="${raw}">as it is</a>`}</p>`,
  });
}

/** What this visitor may do about a job now. */
export function jobActions(visit: ProjectVisit, pipeline: CiPipeline, job: CiJob): Piece {
  if (job.retried || !mayChange(visit, pipeline)) return undefined;
  const button = (name: string, label: string, more?: Piece) =>
    html`<form method="post" action="${projectPath(visit.project, "jobs", job.id, name)}">${csrfField(visit.csrf)}${more}<button type="submit">${label}</button></form>`;
  if (job.status === "manual" || job.status === "scheduled") {
    const more = html`<details><summary>Variables</summary><label for="variables_${job.id}">One in a line, as NAME=value</label>
<textarea id="variables_${job.id}" name="variables" rows="3" spellcheck="false"></textarea></details>`;
    return button("play", "Play", more);
  }
  if (job.status === "canceling" || job.status === "skipped") return undefined;
  return isComplete(job.status) ? button("retry", "Retry") : button("cancel", "Cancel");
}

async function sendTrace(visit: ProjectVisit, id: string | undefined): Promise<void> {
  const { request, response, context } = visit;
  response.set("content-security-policy", "default-src 'none'; sandbox");
  await readTrace(context, visitedJob(visit, id), request, response);
}

async function play(visit: ProjectVisit, id: string | undefined): Promise<void> {
  const { job, user } = changed(visit, id);
  backTo(visit, await playJob(visit.context, job.id, user, variablesIn(field(visit.request, "variables"))));
}

async function retry(visit: ProjectVisit, id: string | undefined): Promise<void> {
  const { job, user } = changed(visit, id);
  backTo(visit, await retryJob(visit.context, job.id, user));
}

async function cancel(visit: ProjectVisit, id: string | undefined): Promise<void> {
  const { job } = changed(visit, id);
  backTo(visit, await cancelJob(visit.context, job.id));
}

function changed(visit: ProjectVisit, id: string | undefined) {
  const job = visitedJob(visit, id);
  return { job, user: changer(visit, visitedPipeline(visit, String(job.pipelineId))) };
}

function backTo({ response, project }: ProjectVisit, job: CiJob): void {
  response.redirect(303, projectPath(project, "jobs", job.id));
}
