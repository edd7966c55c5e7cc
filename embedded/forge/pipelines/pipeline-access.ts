import type { Request } from "express";
import { accessLevels } from "../access/access-level.ts";
import { projectLevel } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { forbidden, notFound } from "../http/api-error.ts";
import { pathId } from "../http/parameters.ts";
import { findProject, findProjectToChange } from "../projects/find-project.ts";
import { canPush } from "../repository/branch-protection.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";
import type { CiJob, CiPipeline } from "./ci-records.ts";

export interface PipelineToChange {
  project: ProjectRecord;
  user: UserRecord;
  pipeline: CiPipeline;
}

/** A pipeline of the project, for whoever may read its code. */
export function findPipeline(
  context: ForgeContext,
  request: Request,
): { project: ProjectRecord; pipeline: CiPipeline } {
  const project = findProject(context, request, "code");
  return { project, pipeline: pipelineOf(context, project, pathId(request, "pipeline")) };
}

/** The same for whoever may start and end its jobs: a Developer, and on a protected branch one who may push there. */
export function findPipelineToChange(context: ForgeContext, request: Request): PipelineToChange {
  const { project, user } = findProjectToChange(context, request, "developer");
  const pipeline = pipelineOf(context, project, pathId(request, "pipeline"));
  requireMayChange(context, project, user, pipeline);
  return { project, user, pipeline };
}

export function findJob(
  context: ForgeContext,
  request: Request,
): { project: ProjectRecord; pipeline: CiPipeline; job: CiJob } {
  const project = findProject(context, request, "code");
  return { project, ...jobOf(context, project, pathId(request, "job")) };
}

export function findJobToChange(context: ForgeContext, request: Request): PipelineToChange & { job: CiJob } {
  const { project, user } = findProjectToChange(context, request, "developer");
  const found = jobOf(context, project, pathId(request, "job"));
  requireMayChange(context, project, user, found.pipeline);
  return { project, user, ...found };
}

function pipelineOf({ ci }: ForgeContext, project: ProjectRecord, id: number): CiPipeline {
  const pipeline = ci.store.pipelines.get(id);
  if (pipeline?.projectId !== project.id) throw notFound();
  return pipeline;
}

function jobOf(
  context: ForgeContext,
  project: ProjectRecord,
  id: number,
): { pipeline: CiPipeline; job: CiJob } {
  const job = context.ci.store.jobs.get(id);
  if (job?.projectId !== project.id) throw notFound();
  return { job, pipeline: pipelineOf(context, project, job.pipelineId) };
}

function requireMayChange(
  context: ForgeContext,
  project: ProjectRecord,
  user: UserRecord,
  pipeline: CiPipeline,
): void {
  if (!mayChangePipeline(context, project, user, pipeline)) throw forbidden();
}

/** May start and end its jobs: a Developer, and on a protected branch one who may push there. */
export function mayChangePipeline(
  context: ForgeContext,
  project: ProjectRecord,
  user: UserRecord,
  { ref, tag, mergeRequest }: CiPipeline,
): boolean {
  const level = projectLevel(context.store, user, project, context.clock());
  const isMember = level >= accessLevels.developer;
  return isMember && (tag || mergeRequest !== null || canPush(project, ref, level));
}
