import type { ReviewJob } from "#schemas/jobs";
import type { ForgeProject } from "../forge/forge.ts";
import type { MergeRequest } from "../forge/forge-merge-requests.ts";
import type { KnownReview } from "./review-memory.ts";

/**
 * Merge requests that are not as they were looked at last: what the host says is open, held against what is remembered as
 * open. Only those into default branches of the platform's own projects count. Pure.
 */
export function reviewsBehind(
  open: readonly Pick<MergeRequest, "projectId" | "iid" | "targetBranch" | "updatedAt">[],
  known: readonly KnownReview[],
  projects: readonly Pick<ForgeProject, "id" | "path" | "defaultBranch">[],
): ReviewJob[] {
  const key = (projectId: number, iid: number) => `${projectId}!${iid}`;
  const there = new Map(open.map((one) => [key(one.projectId, one.iid), one]));
  const remembered = new Set(known.map(({ projectId, memory }) => key(projectId, memory.iid)));
  const changed = known
    .filter(({ projectId, memory }) => there.get(key(projectId, memory.iid))?.updatedAt !== memory.seenAt)
    .map(({ memory }) => ({ project: memory.projectPath, iid: memory.iid }));
  const fresh = open
    .filter(({ projectId, iid }) => !remembered.has(key(projectId, iid)))
    .flatMap(({ projectId, iid, targetBranch }) => {
      const project = projects.find(({ id }) => id === projectId);
      return project?.defaultBranch === targetBranch ? [{ project: project.path, iid }] : [];
    });
  return [...changed, ...fresh];
}
