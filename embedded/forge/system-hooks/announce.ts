import type { ForgeContext } from "../forge-context.ts";

/** Every system hook's deliveries bear this name; what happened stands in the body's `event_name`. */
export const systemHookFlag = "system_hooks";

/** Flags of what an administrator can turn on and off; lifecycle events are sent always. */
export const systemHookFlags = [
  "push_events",
  "tag_push_events",
  "merge_requests_events",
  "repository_update_events",
] as const;

/** Sends what happened to every system hook, in the background. */
export function announce(
  context: ForgeContext,
  eventName: string,
  times: { createdAt: string; updatedAt?: string },
  fields: Readonly<Record<string, unknown>>,
): void {
  const payload = {
    created_at: times.createdAt,
    updated_at: times.updatedAt ?? context.clock().toISOString(),
    event_name: eventName,
    ...fields,
  };
  for (const hook of context.store.systemHooks.all()) {
    context.systemHookSender.send(hook, systemHookFlag, payload);
  }
}
