import { messageOf } from "#core/errors";
import type { ForgeContext } from "../forge-context.ts";
import { matchesBranchFilter } from "../hooks/branch-filter.ts";
import { projectHookJson } from "../hooks/project-hook-json.ts";
import { pushPayload } from "../hooks/push-payload.ts";
import type { Push } from "../repository/refs-changed.ts";
import { systemHookFlag } from "./announce.ts";

/** One `repository_update` for the push as a whole, and for hooks that want them the pushes and tags without commits. */
export function announceRepository(context: ForgeContext, push: Push): void {
  const hooks = context.store.systemHooks.all();
  if (hooks.length === 0) return;
  const { systemHookSender: sender, logger } = context;
  const { user, project } = push;
  const update = {
    event_name: "repository_update",
    user_id: user.id,
    user_name: user.name,
    user_email: user.email,
    user_avatar: null,
    project_id: project.id,
    project: projectHookJson(context, project),
    changes: push.changes.map(({ before, after, ref }) => ({ before, after, ref })),
    refs: [...new Set(push.changes.map((change) => change.ref))],
  };
  for (const hook of hooks) {
    if (hook.events.includes("repository_update_events")) sender.send(hook, systemHookFlag, update);
  }
  for (const change of push.changes) {
    const flag = change.ref.startsWith("refs/tags/") ? "tag_push_events" : "push_events";
    const branch = change.ref.replace(/^refs\/heads\//, "");
    const receivers = hooks.filter(
      (hook) => hook.events.includes(flag) && (flag !== "push_events" || matchesBranchFilter(hook, branch)),
    );
    if (receivers.length === 0) continue;
    sender
      .inBackground(async () => {
        const payload = { ...(await pushPayload(context, push, change)), commits: [] };
        for (const hook of receivers) sender.send(hook, systemHookFlag, payload);
      })
      .catch((error: unknown) => logger.error({ err: messageOf(error) }, "no system hook could be made"));
  }
}
