import type { ForgeContext } from "../forge-context.ts";
import type { UserRecord } from "../store/records.ts";

/** A user as seen inside other objects. */
export function userBasicJson(context: ForgeContext, user: UserRecord) {
  return {
    id: user.id,
    username: user.username,
    public_email: null,
    name: user.name,
    state: user.state,
    locked: false,
    avatar_url: null,
    web_url: `${context.url}/${user.username}`,
  };
}

/** The author of something old may be gone. */
export function userBasicJsonById(context: ForgeContext, id: number | null) {
  const user = id === null ? undefined : context.store.users.get(id);
  return user ? userBasicJson(context, user) : null;
}

/** A user for everybody. */
export function userPublicJson(context: ForgeContext, user: UserRecord) {
  return {
    ...userBasicJson(context, user),
    created_at: user.createdAt,
    bio: "",
    bot: user.botOfProject !== undefined,
  };
}

/** A user for themselves and for administrators. */
export function userPrivateJson(context: ForgeContext, user: UserRecord, forAdmin: boolean) {
  return {
    ...userPublicJson(context, user),
    email: user.email,
    commit_email: user.email,
    confirmed_at: user.createdAt,
    external: false,
    private_profile: false,
    two_factor_enabled: false,
    can_create_group: true,
    can_create_project: true,
    projects_limit: 100_000,
    identities: [],
    namespace_id: user.namespaceId,
    ...(forAdmin && { is_admin: user.isAdmin }),
  };
}
