import { readDiff } from "../compare/read-diff.ts";
import type { ForgeContext } from "../forge-context.ts";
import { linkLfsObjects } from "../lfs/link-lfs-objects.ts";
import type { MergeRequestRecord, MergeRequestVersionRecord } from "../store/merge-request-records.ts";

/** What a fork's commits point to in Git LFS comes along when they are merged; only what their difference names. */
export async function takeLargeFiles(
  context: ForgeContext,
  mergeRequest: MergeRequestRecord,
  version: MergeRequestVersionRecord,
): Promise<void> {
  const { git, repositories } = context;
  if (mergeRequest.sourceProjectId === mergeRequest.projectId) return;
  const gitDir = repositories.path(mergeRequest.projectId);
  const { files } = await readDiff(git, gitDir, version.base, version.head);
  const oids = files.flatMap(({ text }) =>
    [...text.matchAll(/^\+oid sha256:([0-9a-f]{64})$/gm)].flatMap(([, oid]) => oid ?? []),
  );
  await linkLfsObjects(repositories.path(mergeRequest.sourceProjectId), gitDir, oids);
}
