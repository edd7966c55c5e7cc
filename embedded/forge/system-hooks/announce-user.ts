import type { ForgeContext } from "../forge-context.ts";
import type { UserRecord } from "../store/records.ts";
import { announce } from "./announce.ts";

/** `user_create`, `user_destroy`, or `user_rename` with the name before. */
export function announceUser(
  context: ForgeContext,
  event: "create" | "destroy" | "rename",
  user: UserRecord,
  oldUsername?: string,
): void {
  announce(context, `user_${event}`, user, {
    name: user.name,
    email: user.email,
    user_id: user.id,
    username: user.username,
    ...(oldUsername !== undefined && { old_username: oldUsername }),
  });
}
