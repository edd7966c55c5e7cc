import type { ForgeContext } from "../forge-context.ts";
import { branchHead } from "../git/refs.ts";
import type { MergeRequestRecord } from "../store/merge-request-records.ts";
import { latestVersion } from "./version.ts";

/** True where what was found holds for both branches as they are. */
export async function isFresh(context: ForgeContext, mergeRequest: MergeRequestRecord): Promise<boolean> {
  const { repositories } = context;
  const { checked } = mergeRequest;
  const target = await branchHead(repositories.path(mergeRequest.projectId), mergeRequest.targetBranch);
  const source = await branchHead(repositories.path(mergeRequest.sourceProjectId), mergeRequest.sourceBranch);
  const version = latestVersion(context, mergeRequest);
  if (target === undefined) return true; // nothing to be found out
  return (
    checked?.target === target && checked.head === version?.head && (source ?? checked.head) === checked.head
  );
}
