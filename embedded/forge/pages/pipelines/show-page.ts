import type { CiJob, CiPipeline } from "../../pipelines/ci-records.ts";
import { cancelPipeline, retryPipeline } from "../../pipelines/job-actions.ts";
import { isComplete } from "../../pipelines/state/composite-status.ts";
import { projectPath } from "../addresses.ts";
import { type Html, html, type Piece } from "../html.ts";
import { csrfField } from "../page.ts";
import type { ProjectPage, ProjectVisit } from "../project-page.ts";
import { stateWord } from "../status-list.ts";
import { timeOf } from "../time-of.ts";
import { jobActions } from "./job-page.ts";
import { changer, mayChange, pipelinesTab, visitedPipeline } from "./pipeline-visit.ts";

const refreshS = 5;

/** One pipeline with its jobs, stage by stage. */
export const pipelineShowPages: readonly ProjectPage[] = [
  {
    method: "GET",
    path: /^pipelines\/(\d{1,12})$/,
    need: "code",
    handle: (visit, match) => show(visit, match[1]),
  },
  {
    method: "POST",
    path: /^pipelines\/(\d{1,12})\/cancel$/,
    need: "code",
    handle: (visit, match) => cancel(visit, match[1]),
  },
  {
    method: "POST",
    path: /^pipelines\/(\d{1,12})\/retry$/,
    need: "code",
    handle: (visit, match) => retry(visit, match[1]),
  },
];

function show(visit: ProjectVisit, id: string | undefined): void {
  const { context, project } = visit;
  const pipeline = visitedPipeline(visit, id);
  const { store } = context.ci;
  const jobs = store.jobsByPipeline.all(String(pipeline.id)).filter(({ retried }) => !retried);
  const stages = pipeline.stages.map((stage) => {
    const mine = jobs.filter(({ plan }) => plan.stage === stage);
    return (
      mine.length > 0 &&
      html`<section class="card"><h2>${stage}</h2><ul class="plain">${mine.map((job) => jobRow(visit, pipeline, job))}</ul></section>`
    );
  });
  const { ref, sha, source, userId, createdAt, status, yamlErrors, variables } = pipeline;
  const who = context.store.users.get(userId)?.name ?? "somebody who has left";
  const bridge = pipeline.bridgeId === null ? undefined : store.jobs.get(pipeline.bridgeId);
  const parent = bridge && store.pipelines.get(bridge.pipelineId);
  visit.send({
    title: `Pipeline #${pipeline.id}`,
    tab: pipelinesTab,
    refreshS: isComplete(status) || status === "manual" ? undefined : refreshS,
    body: html`<h1>Pipeline #${pipeline.id} ${stateWord(status)}</h1>
<p class="path">${pipeline.name && html`<strong>${pipeline.name}</strong> · `}${ref} at <a href="${projectPath(project, "commit", sha)}">${sha.slice(0, 8)}</a> · ${source} · ${who} · ${timeOf(createdAt)}
${parent && downstreamLink(visit, parent, "started by")}</p>
${yamlErrors !== null && html`<pre class="log bad">${yamlErrors}</pre>`}
${variables.length > 0 && html`<p class="soft path">Variables: ${variables.map(({ key }) => key).join(", ")}</p>`}
${actions(visit, pipeline)}${stages}`,
  });
}

function jobRow(visit: ProjectVisit, pipeline: CiPipeline, job: CiJob): Html {
  const { store } = visit.context.ci;
  const child = job.downstreamId === null ? undefined : store.pipelines.get(job.downstreamId);
  const { name, when } = job.plan;
  return html`<li>${stateWord(job.status)} <a href="${projectPath(visit.project, "jobs", job.id)}"><strong>${name}</strong></a>
<span class="soft">${when === "manual" && " by hand"}${job.attempt > 1 && ` attempt ${job.attempt}`}</span>
${child && downstreamLink(visit, child, "→")}
${jobActions(visit, pipeline, job)}</li>`;
}

/** Another pipeline, as a link where this visitor finds it below the same project. */
function downstreamLink({ project }: ProjectVisit, other: CiPipeline, word: string): Piece {
  const label = html`pipeline #${other.id} ${stateWord(other.status)}`;
  const isHere = other.projectId === project.id;
  return html`${word} ${isHere ? html`<a href="${projectPath(project, "pipelines", other.id)}">${label}</a>` : label}`;
}

function actions(visit: ProjectVisit, pipeline: CiPipeline): Piece {
  if (!mayChange(visit, pipeline)) return undefined;
  const jobs = visit.context.ci.store.jobsByPipeline
    .all(String(pipeline.id))
    .filter(({ retried }) => !retried);
  const canRetry = jobs.some(({ status }) => status === "failed" || status === "canceled");
  const canCancel = jobs.some(({ status }) => !isComplete(status) && status !== "manual");
  const button = (name: string, label: string) =>
    html`<form method="post" action="${projectPath(visit.project, "pipelines", pipeline.id, name)}">${csrfField(visit.csrf)}<button type="submit">${label}</button></form>`;
  return html`<div class="row">${canCancel && button("cancel", "Cancel")}${canRetry && button("retry", "Retry")}</div>`;
}

async function cancel(visit: ProjectVisit, id: string | undefined): Promise<void> {
  const pipeline = visitedPipeline(visit, id);
  changer(visit, pipeline);
  await cancelPipeline(visit.context, pipeline.id);
  visit.response.redirect(303, projectPath(visit.project, "pipelines", pipeline.id));
}

async function retry(visit: ProjectVisit, id: string | undefined): Promise<void> {
  const pipeline = visitedPipeline(visit, id);
  await retryPipeline(visit.context, pipeline.id, changer(visit, pipeline));
  visit.response.redirect(303, projectPath(visit.project, "pipelines", pipeline.id));
}
