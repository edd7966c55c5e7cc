import pLimit from "p-limit";
import type { PipelineJobView, PipelineTree } from "#schemas/pipelines";
import type { ForgeProject } from "../forge/forge.ts";
import type { ForgePipelines, PipelineDetails, PipelineJob } from "../forge/forge-pipelines.ts";

const maxDepth = 2; // what GitLab allows below the first one
const maxDownstream = 40; // of one pipeline; a repository has a few dozen twins
const maxQuestionsAtOnce = 4;

/** Whose pipeline is meant, and with whose rights the host is asked: the platform's where no token is given. */
export interface PipelineAt {
  user: string;
  project: ForgeProject;
  id: number;
  token?: string;
}

/**
 * A pipeline with its jobs and what these have triggered in the same project, found by the bridges. What was triggered
 * elsewhere is somebody else's and only said to be there. `undefined`: there is no such pipeline.
 */
export async function readTree(
  pipelines: Pick<ForgePipelines, "show">,
  at: PipelineAt,
): Promise<PipelineTree | undefined> {
  const limit = pLimit(maxQuestionsAtOnce);
  let left = maxDownstream;
  const read = async (id: number, depth: number): Promise<PipelineTree | undefined> => {
    const found = await limit(() => pipelines.show(at.project, id, at.token));
    if (found === undefined) return undefined;
    const jobs = found.jobs.map(async (job): Promise<PipelineJobView> => {
      const child = job.triggers?.pipeline;
      const isOurs = child !== undefined && child.projectId === at.project.id;
      left -= Number(isOurs);
      const isRead = isOurs && depth < maxDepth && left >= 0;
      return toJobView(job, isRead ? await read(child.id, depth + 1) : undefined);
    });
    return toTree(at.user, found, await Promise.all(jobs));
  };
  return await read(at.id, 0);
}

function toTree(user: string, found: PipelineDetails, jobs: PipelineJobView[]): PipelineTree {
  const { id, ref, commit, state, source, createdAt, webUrl } = found;
  return {
    ...{ id, user, ref, commit, state, source, createdAt, webUrl },
    startedAt: found.startedAt ?? null,
    finishedAt: found.finishedAt ?? null,
    startedBy: found.startedBy ?? null,
    problem: found.problem ?? null,
    jobs,
  };
}

export function toJobView(job: PipelineJob, downstream?: PipelineTree): PipelineJobView {
  const { id, name, stage, state, allowFailure, webUrl } = job;
  return {
    ...{ id, name, stage, state, allowFailure, webUrl },
    startedAt: job.startedAt ?? null,
    finishedAt: job.finishedAt ?? null,
    reason: job.reason ?? null,
    isTrigger: job.triggers !== undefined,
    downstream: downstream ?? null,
  };
}
