import type { CiJob, CiPipeline } from "../../pipelines/ci-records.ts";
import { mayChangePipeline } from "../../pipelines/pipeline-access.ts";
import type { UserRecord } from "../../store/records.ts";
import { PageError } from "../page-error.ts";
import type { ProjectVisit } from "../project-page.ts";
import { signedInUser } from "../signed-in-user.ts";

export const pipelinesTab = "Pipelines";

/** The pipeline of this number. `PageError` 404 for none. */
export function visitedPipeline({ context, project }: ProjectVisit, id: string | undefined): CiPipeline {
  const pipeline = context.ci.store.pipelines.get(Number(id));
  if (pipeline?.projectId !== project.id) {
    throw new PageError(
      404,
      "There is no such pipeline",
      "Old ones are removed, and those of other programs are only statuses.",
    );
  }
  return pipeline;
}

/** The job of this number. `PageError` 404 for none. */
export function visitedJob({ context, project }: ProjectVisit, id: string | undefined): CiJob {
  const job = context.ci.store.jobs.get(Number(id));
  if (job?.projectId !== project.id)
    throw new PageError(404, "There is no such job", "Old ones are removed.");
  return job;
}

/** Whether this visitor may start and end its jobs. */
export function mayChange({ context, project, user }: ProjectVisit, pipeline: CiPipeline): boolean {
  return user !== undefined && !project.archived && mayChangePipeline(context, project, user, pipeline);
}

/** Who starts or ends something. `PageError` 401 for strangers, 403 for who may not. */
export function changer(visit: ProjectVisit, pipeline: CiPipeline): UserRecord {
  const user = signedInUser(visit);
  if (mayChange(visit, pipeline)) return user;
  throw new PageError(
    403,
    "You may not do this",
    "It takes a Developer, and at a protected branch the right to push there.",
  );
}
