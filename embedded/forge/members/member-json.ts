import type { ForgeContext } from "../forge-context.ts";
import type { MemberRecord } from "../store/records.ts";
import { userBasicJson, userBasicJsonById } from "../users/user-json.ts";

/** `undefined` for a membership whose user is gone. */
export function memberJson(context: ForgeContext, member: MemberRecord) {
  const user = context.store.users.get(member.userId);
  if (!user) return undefined;
  return {
    ...userBasicJson(context, user),
    access_level: member.accessLevel,
    created_at: member.createdAt,
    created_by: userBasicJsonById(context, member.createdById),
    expires_at: member.expiresOn,
    membership_state: "active",
  };
}
