import type { PreviewId } from "#schemas/previews";
import type { MergeRequestRef } from "./previews.ts";

/** What the previews of a merge request are called among those of a user. */
export function previewId({ projectId, iid }: MergeRequestRef, isOwn: boolean): PreviewId {
  return isOwn ? String(iid) : `${projectId}-${iid}`;
}
