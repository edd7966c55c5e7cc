import { messageOf } from "#core/errors";
import type { ForgeContext } from "../forge-context.ts";
import { zeroId } from "../git/ref-name.ts";
import type { Push, RefChange } from "../repository/refs-changed.ts";
import type { HookRecord } from "../store/records.ts";
import { matchesBranchFilter } from "./branch-filter.ts";
import { pushPayload } from "./push-payload.ts";

const maxRefsAnnounced = 3; // GitLab's push_event_hooks_limit: more refs of one kind in one push send nothing

const kinds = [
  { prefix: "refs/heads/", flag: "push_events" },
  { prefix: "refs/tags/", flag: "tag_push_events" },
] as const;

/** Sends push and tag webhooks in the background; a failure is logged and nobody's push waits. */
export function announcePush(context: ForgeContext, push: Push): void {
  const hooks = context.store.hooksByProject.all(String(push.project.id));
  if (hooks.length === 0) return;
  for (const { prefix, flag } of kinds) {
    const wanted = hooks.filter((hook) => hook.events.includes(flag));
    const changes = push.changes.filter((change) => change.ref.startsWith(prefix));
    for (const action of [isCreation, isRemoval, isUpdate]) {
      const group = changes.filter(action);
      if (group.length > maxRefsAnnounced) {
        context.logger.info({ project: push.project.id, refs: group.length }, "too many refs for webhooks");
        continue;
      }
      for (const change of group) announce(context, push, change, prefix, flag, wanted);
    }
  }
}

function announce(
  context: ForgeContext,
  push: Push,
  change: RefChange,
  prefix: string,
  flag: "push_events" | "tag_push_events",
  hooks: readonly HookRecord[],
): void {
  const name = change.ref.slice(prefix.length);
  const receivers = hooks.filter((hook) => flag !== "push_events" || matchesBranchFilter(hook, name));
  if (receivers.length === 0) return;
  context.hookSender
    .inBackground(async () => {
      const payload = await pushPayload(context, push, change);
      for (const hook of receivers) context.hookSender.send(hook, flag, payload);
    })
    .catch((error: unknown) => {
      context.logger.error({ project: push.project.id, err: messageOf(error) }, "no webhook could be made");
    });
}

function isCreation(change: RefChange): boolean {
  return change.before === zeroId;
}

function isRemoval(change: RefChange): boolean {
  return change.before !== zeroId && change.after === zeroId;
}

function isUpdate(change: RefChange): boolean {
  return change.before !== zeroId && change.after !== zeroId;
}
