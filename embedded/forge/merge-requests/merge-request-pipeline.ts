import { messageOf } from "#core/errors";
import type { ForgeContext } from "../forge-context.ts";
import { ApiError, badRequest } from "../http/api-error.ts";
import { changedFiles } from "../pipelines/changed-files.ts";
import type { CiPipeline } from "../pipelines/ci-records.ts";
import { createPipeline } from "../pipelines/create-pipeline.ts";
import type { MergeRequestRecord } from "../store/merge-request-records.ts";
import type { UserRecord } from "../store/records.ts";
import { latestVersion } from "./version.ts";

/**
 * Makes the pipeline of a merge request (`merge_request_event`) in its target project, at its newest commit, in this user's name: somebody
 * who may run pipelines there. `undefined` where no job asks for such pipelines. Throws what `createPipeline` throws.
 */
export async function createMergeRequestPipeline(
  context: ForgeContext,
  mergeRequest: MergeRequestRecord,
  user: UserRecord,
  { keepsErrors = false } = {},
): Promise<CiPipeline | undefined> {
  const project = context.store.projects.get(mergeRequest.projectId);
  const version = latestVersion(context, mergeRequest);
  if (!project || !version) throw badRequest({ base: ["Reference not found"] });
  const { iid, title, sourceBranch, targetBranch, sourceProjectId } = mergeRequest;
  const gitDir = context.repositories.path(project.id);
  const changed = await changedFiles(context, gitDir, version.base, version.head);
  return await createPipeline(context, {
    project,
    user,
    ref: `refs/merge-requests/${iid}/head`,
    sha: version.head,
    tag: false,
    source: "merge_request_event",
    mergeRequest: { iid, title, sourceBranch, targetBranch, sourceProjectId, diffBaseSha: version.base },
    keepsErrors,
    ...(changed === undefined ? {} : { changed }),
  });
}

/** The same in the background, for a new merge request or new commits in it. What comes from a fork runs nothing until a member asks for it. */
export function startMergeRequestPipeline(
  context: ForgeContext,
  mergeRequest: MergeRequestRecord,
  by: UserRecord | undefined,
): void {
  const isFromFork = mergeRequest.sourceProjectId !== mergeRequest.projectId;
  if (!context.ci.exchange || isFromFork || !by) return;
  context.ci.inBackground("no pipeline could be made of a merge request", async () => {
    try {
      await createMergeRequestPipeline(context, mergeRequest, by, { keepsErrors: true });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      context.logger.info(
        { mergeRequest: mergeRequest.id, err: messageOf(error) },
        "a merge request makes no pipeline",
      );
    }
  });
}
