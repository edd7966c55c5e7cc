import type {
  MemberRecord,
  NamespaceRecord,
  ProjectRecord,
  UserRecord,
  Visibility,
} from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { accessLevels } from "./access-level.ts";

/** A group and the groups around it, the innermost first. */
export function withAncestors(store: Store, namespaceId: number): NamespaceRecord[] {
  const found: NamespaceRecord[] = [];
  let next = store.namespaces.get(namespaceId);
  while (next) {
    found.push(next);
    next = next.parentId === null ? undefined : store.namespaces.get(next.parentId);
  }
  return found;
}

/** The user's level through direct membership of this one group or project; 0 for none or an expired one. */
export function directMember(
  store: Store,
  source: MemberRecord["source"],
  sourceId: number,
  userId: number,
  now: Date,
): MemberRecord | undefined {
  const members = store.membersBySource.all(`${source}:${sourceId}`);
  const member = members.find((each) => each.userId === userId);
  return member && isCurrent(member, now) ? member : undefined;
}

export function isCurrent(member: MemberRecord, now: Date): boolean {
  return member.expiresOn === null || Date.parse(member.expiresOn) > now.getTime();
}

/** Membership of a group, inherited ones included; the owner of a personal namespace counts as its Owner. */
export function groupMemberLevel(store: Store, user: UserRecord, namespaceId: number, now: Date): number {
  const levels = withAncestors(store, namespaceId).map((namespace) => {
    if (namespace.ownerId === user.id) return accessLevels.owner;
    return directMember(store, "group", namespace.id, user.id, now)?.accessLevel ?? accessLevels.none;
  });
  return Math.max(accessLevels.none, ...levels);
}

/** Membership of a project, inherited ones included; 0 for a stranger, whoever may see it. */
export function projectMemberLevel(
  store: Store,
  user: UserRecord,
  project: ProjectRecord,
  now: Date,
): number {
  const direct = directMember(store, "project", project.id, user.id, now)?.accessLevel ?? accessLevels.none;
  return Math.max(direct, groupMemberLevel(store, user, project.namespaceId, now));
}

/** What a user can do on a project: membership, and everything for an administrator. */
export function projectLevel(
  store: Store,
  user: UserRecord | undefined,
  project: ProjectRecord,
  now: Date,
): number {
  return levelOf(user, (member) => projectMemberLevel(store, member, project, now));
}

export function groupLevel(store: Store, user: UserRecord | undefined, groupId: number, now: Date): number {
  return levelOf(user, (member) => groupMemberLevel(store, member, groupId, now));
}

function levelOf(user: UserRecord | undefined, asMember: (user: UserRecord) => number): number {
  if (!user) return accessLevels.none;
  return user.isAdmin ? accessLevels.admin : asMember(user);
}

/** True for what anybody, or anybody who is signed in, may see without being a member. */
function isOpenTo(user: UserRecord | undefined, thing: { visibility: Visibility }): boolean {
  return thing.visibility === "public" || (thing.visibility === "internal" && user !== undefined);
}

export function canSeeProject(
  store: Store,
  user: UserRecord | undefined,
  project: ProjectRecord,
  now: Date,
): boolean {
  return isOpenTo(user, project) || projectLevel(store, user, project, now) >= accessLevels.guest;
}

/** Guests of a private project see that it is there, not what is in it. */
export function canReadCode(
  store: Store,
  user: UserRecord | undefined,
  project: ProjectRecord,
  now: Date,
): boolean {
  return isOpenTo(user, project) || projectLevel(store, user, project, now) >= accessLevels.reporter;
}

/** A private group is seen by its members and by members of anything below it. */
export function canSeeGroup(
  store: Store,
  user: UserRecord | undefined,
  group: NamespaceRecord,
  now: Date,
): boolean {
  if (isOpenTo(user, group)) return true;
  if (!user) return false;
  if (groupLevel(store, user, group.id, now) >= accessLevels.minimal) return true;
  return store.membersByUser.all(String(user.id)).some((member) => {
    const namespaceId =
      member.source === "group" ? member.sourceId : store.projects.get(member.sourceId)?.namespaceId;
    const around = namespaceId === undefined ? [] : withAncestors(store, namespaceId);
    return isCurrent(member, now) && around.some((namespace) => namespace.id === group.id);
  });
}
