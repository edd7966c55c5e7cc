import type { AccountClaims } from "oidc-provider";
import { accessLevels } from "../access/access-level.ts";
import { groupMemberLevel } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import type { NamespaceRecord, UserRecord } from "../store/records.ts";

const groupClaim = (role: string) => `https://gitlab.org/claims/groups/${role}`;
const roles = [
  ["owner", accessLevels.owner],
  ["maintainer", accessLevels.maintainer],
  ["developer", accessLevels.developer],
] as const;

/** Which claims GitLab tells with which scope: all with `openid`, the address with `email`. */
export const claimsOfScopes = {
  openid: [
    ...["sub", "name", "nickname", "preferred_username", "profile", "picture", "groups", "groups_direct"],
    ...roles.map(([role]) => groupClaim(role)),
  ],
  email: ["email", "email_verified"],
};

/** What an ID token, which travels, says of a user, or what `/oauth/userinfo` says, which is more. */
export function userClaims(context: ForgeContext, user: UserRecord, use: string): AccountClaims {
  const memberships = groupsOf(context, user);
  const common = { sub: String(user.id), email: user.email, email_verified: true };
  if (use === "id_token") {
    const direct = memberships.filter(({ isDirect }) => isDirect);
    return direct.length > 0
      ? { ...common, groups_direct: direct.map(({ group }) => group.fullPath) }
      : common;
  }
  const byRole = roles.flatMap(([role, level]) => {
    const paths = memberships.filter((each) => each.level === level).map(({ group }) => group.fullPath);
    return paths.length > 0 ? [[groupClaim(role), paths]] : [];
  });
  return {
    ...common,
    name: user.name,
    nickname: user.username,
    preferred_username: user.username,
    profile: `${context.url}/${user.username}`,
    picture: "",
    groups: memberships.map(({ group }) => group.fullPath),
    ...Object.fromEntries(byRole),
  };
}

interface Membership {
  group: NamespaceRecord;
  level: number;
  isDirect: boolean;
}

/** Groups somebody is a member of, directly or through a group around them. */
function groupsOf({ store, clock }: ForgeContext, user: UserRecord): Membership[] {
  const now = clock();
  const direct = new Set(
    store.membersByUser
      .all(String(user.id))
      .flatMap((member) => (member.source === "group" ? [member.sourceId] : [])),
  );
  return store.namespaces.all().flatMap((group) => {
    if (group.kind !== "group") return [];
    const level = groupMemberLevel(store, user, group.id, now);
    return level > accessLevels.none ? [{ group, level, isDirect: direct.has(group.id) }] : [];
  });
}
