import { Readable } from "node:stream";
import { pipeline as streamed } from "node:stream/promises";
import { type Request, type Response, Router } from "express";
import { ZipFile } from "yazl";
import { messageOf } from "#core/errors";
import type { ForgeContext } from "../forge-context.ts";
import { notFound } from "../http/api-error.ts";
import { Parameters, pathParameter } from "../http/parameters.ts";
import type { CiJob } from "../pipelines/ci-records.ts";
import { findJob, findJobToChange } from "../pipelines/pipeline-access.ts";
import { findProject } from "../projects/find-project.ts";
import { artifactFiles } from "./artifact-files.ts";

/** Artifacts of jobs: all in one zip, or one file, by the job's number or as the newest good job of a name on a ref has left them. */
export function artifactRoutes(context: ForgeContext): Router {
  const routes = Router({ caseSensitive: true });
  const byRef = "/projects/:id/jobs/artifacts/:ref";
  const byJob = "/projects/:id/jobs/:job/artifacts";

  routes.get(`${byRef}/download`, async (request, response) => {
    await sendZip(context, newestOf(context, request), response);
  });
  routes.get(`${byRef}/raw/*path`, async (request, response) => {
    await sendFile(context, newestOf(context, request), wantedPath(request), response);
  });
  routes.get(byJob, async (request, response) => {
    await sendZip(context, findJob(context, request).job, response);
  });
  routes.get(`${byJob}/*path`, async (request, response) => {
    await sendFile(context, findJob(context, request).job, wantedPath(request), response);
  });
  routes.delete(byJob, async (request, response) => {
    const { job } = findJobToChange(context, request);
    await context.ci.files.removeArtifacts(job.id);
    await context.ci.serially(() => context.ci.store.jobs.update(job.id, { artifacts: null }));
    response.status(204).end();
  });
  routes.post(`${byJob}/keep`, async (request, response) => {
    const { job } = findJobToChange(context, request);
    if (!job.artifacts) throw notFound();
    const artifacts = { ...job.artifacts, expiresAt: null };
    await context.ci.serially(() => context.ci.store.jobs.update(job.id, { artifacts }));
    response.json({ id: job.id, artifacts_expire_at: null });
  });

  return routes;
}

function wantedPath(request: Request): string {
  const value: unknown = request.params["path"];
  return Array.isArray(value) ? value.join("/") : String(value ?? "");
}

function newestOf(context: ForgeContext, request: Request): CiJob {
  const project = findProject(context, request, "code");
  const { store } = context.ci;
  const ref = pathParameter(request, "ref");
  const name = Parameters.of(request).requiredFilled("job");
  const found = store.jobsByProject
    .all(String(project.id))
    .filter(({ plan, status, artifacts }) => plan.name === name && status === "success" && artifacts !== null)
    .findLast(({ pipelineId }) => store.pipelines.get(pipelineId)?.ref === ref);
  if (!found) throw notFound();
  return found;
}

async function sendFile(context: ForgeContext, job: CiJob, path: string, response: Response): Promise<void> {
  if (job.artifacts) {
    for await (const file of artifactFiles(context.ci.files.artifactsPath(job.id))) {
      if (file.path !== path) continue;
      response.set("content-type", "application/octet-stream");
      response.set("content-disposition", "attachment");
      response.set("x-content-type-options", "nosniff");
      response.set("content-length", String(file.bytes));
      await streamed(Readable.from(file.content), response).catch((error: unknown) =>
        brokeOff(context, error, response),
      );
      return;
    }
  }
  throw notFound();
}

/** Packed while it is sent. */
async function sendZip(context: ForgeContext, job: CiJob, response: Response): Promise<void> {
  if (!job.artifacts) throw notFound();
  response.set("content-type", "application/zip");
  response.set("content-disposition", 'attachment; filename="artifacts.zip"');
  response.set("x-content-type-options", "nosniff");
  const zip = new ZipFile();
  const sending = streamed(Readable.from(zip.outputStream as AsyncIterable<Buffer>), response);
  sending.catch(() => undefined);
  try {
    for await (const file of artifactFiles(context.ci.files.artifactsPath(job.id))) {
      const content = Readable.from(file.content, { objectMode: false });
      const read = new Promise<void>((done, failed) => {
        content.once("end", done);
        content.once("error", failed);
      });
      zip.addReadStream(content, file.path, { size: file.bytes, mode: 0o100644 });
      await Promise.race([read, sending]); // one after another: the archive is read once
    }
    zip.end();
    await sending;
  } catch (error) {
    brokeOff(context, error, response);
  }
}

function brokeOff(context: ForgeContext, error: unknown, response: Response): void {
  context.logger.info({ err: messageOf(error) }, "artifacts broke off");
  response.destroy();
}
