import { accessLevels } from "../access/access-level.ts";
import { isCurrent, withAncestors } from "../access/rights.ts";
import type { MemberRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";

/** Where memberships hang: a group, or a project in its namespace. */
export interface MemberSource {
  kind: MemberRecord["source"];
  id: number;
  /** The group itself, or the namespace the project is in. */
  namespaceId: number;
}

/** Those added to this very group or project; the owner of a personal namespace is a member of its projects. */
export function directMembers(store: Store, source: MemberSource, now: Date): MemberRecord[] {
  const added = store.membersBySource
    .all(`${source.kind}:${source.id}`)
    .filter((each) => isCurrent(each, now));
  const owner = source.kind === "project" ? personalOwner(store, source.namespaceId) : undefined;
  return owner ? [owner, ...added.filter((each) => each.userId !== owner.userId)] : added;
}

/** Inherited ones included, each user once with their highest level. */
export function allMembers(store: Store, source: MemberSource, now: Date): MemberRecord[] {
  const inherited = withAncestors(store, source.namespaceId).flatMap((namespace) =>
    directMembers(store, { kind: "group", id: namespace.id, namespaceId: namespace.id }, now),
  );
  const highest = new Map<number, MemberRecord>();
  for (const member of [...directMembers(store, source, now), ...inherited]) {
    const known = highest.get(member.userId);
    if (!known || known.accessLevel < member.accessLevel) highest.set(member.userId, member);
  }
  return [...highest.values()];
}

function personalOwner(store: Store, namespaceId: number): MemberRecord | undefined {
  const namespace = store.namespaces.get(namespaceId);
  if (namespace?.ownerId == null) return undefined;
  return {
    id: 0,
    source: "project",
    sourceId: 0,
    userId: namespace.ownerId,
    accessLevel: accessLevels.owner,
    createdAt: namespace.createdAt,
    createdById: namespace.ownerId,
    expiresOn: null,
  };
}
