import { messageOf } from "#core/errors";
import type { ForgeContext } from "../forge-context.ts";
import type { MergeRequestRecord } from "../store/merge-request-records.ts";
import { systemHookFlag } from "../system-hooks/announce.ts";
import { type MergeRequestNews, mergeRequestPayload } from "./merge-request-payload.ts";

const flag = "merge_requests_events";

/** Tells hooks of the target project and of the whole forge what happened to a merge request, in the background. */
export function announceMergeRequest(
  context: ForgeContext,
  mergeRequest: MergeRequestRecord,
  news: MergeRequestNews,
): void {
  const { store, hookSender, systemHookSender, logger } = context;
  const project = store.projects.get(mergeRequest.projectId);
  const hooks = store.hooksByProject
    .all(String(mergeRequest.projectId))
    .filter((hook) => hook.events.includes(flag));
  const systemHooks = store.systemHooks.all().filter((hook) => hook.events.includes(flag));
  if (!project || hooks.length + systemHooks.length === 0) return;
  hookSender
    .inBackground(async () => {
      const payload = await mergeRequestPayload(context, project, mergeRequest, news);
      for (const hook of hooks) hookSender.send(hook, flag, payload);
      for (const hook of systemHooks) systemHookSender.send(hook, systemHookFlag, payload);
    })
    .catch((error: unknown) => {
      logger.error({ mergeRequest: mergeRequest.id, err: messageOf(error) }, "no webhook could be made");
    });
}
