import { type Request, type Response, Router } from "express";
import type { ForgeContext } from "../forge-context.ts";
import { forbidden, notFound, unauthorized } from "../http/api-error.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters } from "../http/parameters.ts";
import type { CiJob } from "../pipelines/ci-records.ts";
import { givenVariables } from "../pipelines/given-variables.ts";
import { cancelJob, playJob, retryJob } from "../pipelines/job-actions.ts";
import { findJob, findJobToChange } from "../pipelines/pipeline-access.ts";
import { scopeOf } from "../pipelines/pipeline-routes.ts";
import { isComplete } from "../pipelines/state/composite-status.ts";
import { findProject } from "../projects/find-project.ts";
import { hashToken } from "../tokens/access-token.ts";
import { bridgeJson, jobJson } from "./job-json.ts";
import { readTrace } from "./read-trace.ts";

const base = "/projects/:id/jobs";

/** `/projects/:id/jobs`: what they are, their traces, and starting and ending them. `GET /job` tells a job who it is. */
export function jobRoutes(context: ForgeContext): Router {
  const { store, files, serially } = context.ci;
  const routes = Router({ caseSensitive: true });
  const show = async (response: Response, job: CiJob, status = 200) => {
    const pipeline = store.pipelines.get(job.pipelineId);
    const gitDir = context.repositories.path(job.projectId);
    const commit = pipeline && (await context.objects.commit(gitDir, pipeline.sha));
    response
      .status(status)
      .json(job.plan.trigger ? bridgeJson(context, job, commit) : jobJson(context, job, commit));
  };

  routes.get("/job", async (request, response) => {
    await show(response, jobOfToken(context, request));
  });

  routes.get(base, (request, response) => {
    const project = findProject(context, request, "code");
    const scope = scopeOf(Parameters.of(request));
    const jobs = store.jobsByProject
      .all(String(project.id))
      .filter(({ plan, status }) => !plan.trigger && (scope?.includes(status) ?? true))
      .sort((a, b) => b.id - a.id);
    response.json(paginate(context, request, response, jobs).map((job) => jobJson(context, job)));
  });

  routes.get(`${base}/:job`, async (request, response) => {
    await show(response, findJob(context, request).job);
  });

  routes.get(`${base}/:job/trace`, async (request, response) => {
    await readTrace(context, findJob(context, request).job, request, response);
  });

  routes.post(`${base}/:job/play`, async (request, response) => {
    const { job, user } = findJobToChange(context, request);
    const variables = givenVariables(Parameters.of(request), "job_variables_attributes");
    await show(response, await playJob(context, job.id, user, variables));
  });

  routes.post(`${base}/:job/retry`, async (request, response) => {
    const { job, user } = findJobToChange(context, request);
    await show(response, await retryJob(context, job.id, user), 201);
  });

  routes.post(`${base}/:job/cancel`, async (request, response) => {
    const { job } = findJobToChange(context, request);
    const force = Parameters.of(request).boolean("force") ?? false;
    await show(response, await cancelJob(context, job.id, { force }), 201);
  });

  routes.post(`${base}/:job/erase`, async (request, response) => {
    const { job } = findJobToChange(context, request);
    if (!isComplete(job.status) || job.erasedAt !== null) throw forbidden("Job is not erasable!");
    await files.remove(job.id);
    const erasedAt = context.clock().toISOString();
    const erased = await serially(() => store.jobs.update(job.id, { erasedAt, artifacts: null, dotenv: {} }));
    await show(response, erased, 201);
  });

  return routes;
}

/** The job that shows its own token, while it runs. */
export function jobOfToken({ ci }: ForgeContext, request: Request): CiJob {
  const value = request.get("job-token") ?? request.query["job_token"];
  if (typeof value !== "string" || value === "") throw unauthorized();
  const job = ci.store.jobsByToken.first(hashToken(value));
  if (!job) throw unauthorized();
  if (isComplete(job.status)) throw notFound("Job");
  return job;
}
