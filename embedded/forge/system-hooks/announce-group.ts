import type { ForgeContext } from "../forge-context.ts";
import type { NamespaceRecord } from "../store/records.ts";
import { announce } from "./announce.ts";

/** `group_create`, `group_destroy`, or `group_rename` with the paths before. */
export function announceGroup(
  context: ForgeContext,
  event: "create" | "destroy" | "rename",
  group: NamespaceRecord,
  before?: NamespaceRecord,
): void {
  announce(context, `group_${event}`, group, {
    name: group.name,
    path: group.path,
    full_path: group.fullPath,
    group_id: group.id,
    ...(before && { old_path: before.path, old_full_path: before.fullPath }),
  });
}
