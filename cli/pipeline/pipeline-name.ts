import { ActionNeededError } from "#core/errors";
import { allJobs, type PipelineJobView, type PipelineTree } from "#schemas/pipelines";
import { didYouMean } from "#schemas/suggest";
import type { ApiClient } from "../api/api-client.ts";
import { ownRepository } from "../library/library-path.ts";

/** A pipeline of a user's project. */
export interface PipelineName {
  user: string;
  id: number;
}

/** Reads `user1/123`, or `123` of the given user, else of oneself. Errors: `USAGE`. */
export async function findPipeline(
  api: ApiClient,
  text: string,
  user: string | undefined,
): Promise<PipelineName> {
  const [, owner, id = ""] = /^(?:([^/]+)\/)?#?([1-9]\d{0,14})$/.exec(text) ?? [];
  if (id === "") {
    throw new ActionNeededError("USAGE", `"${text}" is no pipeline`, {
      hint: "write user/number, such as user1/123",
    });
  }
  return { user: owner ?? (await ownRepository(api, user)), id: Number(id) };
}

export function pipelinesPath(user: string): string {
  return `/users/${encodeURIComponent(user)}/pipelines`;
}

export function pipelinePath({ user, id }: PipelineName): string {
  return `${pipelinesPath(user)}/${id}`;
}

export function jobPath(user: string, id: number): string {
  return `/users/${encodeURIComponent(user)}/jobs/${id}`;
}

/** The job that somebody means by its name or number. Errors: `JOB_NOT_FOUND`. */
export function findJob(tree: PipelineTree, name: string): PipelineJobView {
  const jobs = allJobs(tree);
  const found = jobs.findLast((job) => job.name === name || String(job.id) === name);
  if (found) return found;
  const names = jobs.map((job) => job.name);
  throw new ActionNeededError("JOB_NOT_FOUND", `pipeline ${tree.id} has no job ${name}`, {
    hint: didYouMean(name, names) ?? `it has ${names.join(", ") || "none"}`,
  });
}
