import type { ForgeContext } from "../forge-context.ts";
import type { Signature } from "../git/write-commit.ts";
import type { MergeRequestRecord } from "../store/merge-request-records.ts";
import type { UserRecord } from "../store/records.ts";

/** What a merge commit says where nobody says otherwise. */
export function mergeMessage(context: ForgeContext, mergeRequest: MergeRequestRecord): string {
  const { title, sourceBranch, targetBranch } = mergeRequest;
  const head = `Merge branch '${sourceBranch}' into '${targetBranch}'`;
  return `${head}\n\n${title}\n\nSee merge request ${fullReference(context, mergeRequest)}`;
}

/** `group/project!1`. */
export function fullReference(context: ForgeContext, mergeRequest: MergeRequestRecord): string {
  return `${context.store.projects.get(mergeRequest.projectId)?.fullPath ?? ""}!${mergeRequest.iid}`;
}

/** A user who makes a commit now; the author of something old may be gone. */
export function userSignature(context: ForgeContext, user: UserRecord | undefined): Signature {
  const seconds = Math.floor(context.clock().getTime() / 1_000);
  return {
    name: user?.name ?? "Ghost User",
    email: user?.email ?? "ghost@localhost",
    seconds,
    zone: "+0000",
  };
}
