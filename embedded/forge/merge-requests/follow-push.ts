import { messageOf } from "#core/errors";
import type { ForgeContext } from "../forge-context.ts";
import { zeroId } from "../git/ref-name.ts";
import type { Push } from "../repository/refs-changed.ts";
import { refreshMergeRequest } from "./refresh-merge-request.ts";

const maxLooks = 100; // merge requests into one branch looked at after a push to it; others when somebody asks

/** Brings open merge requests up to a push to their source or target, in the background. */
export function followPush(context: ForgeContext, push: Push): void {
  const { store, transfers, logger } = context;
  const by = push.user;
  const refresh = (id: number, head?: string) => {
    const wanted = { by, ...(head !== undefined && head !== zeroId && { head }) };
    transfers
      .run(() => refreshMergeRequest(context, id, wanted))
      .catch((error: unknown) =>
        logger.error({ mergeRequest: id, err: messageOf(error) }, "a merge request did not follow a push"),
      );
  };
  for (const { ref, after } of push.changes) {
    if (!ref.startsWith("refs/heads/")) continue;
    const key = `${push.project.id}:${ref.slice("refs/heads/".length)}`;
    for (const { id } of store.mergeRequestsBySource.all(key)) refresh(id, after);
    for (const { id } of store.mergeRequestsByTarget.all(key).slice(-maxLooks)) refresh(id);
  }
}
