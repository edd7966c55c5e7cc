import { withAncestors } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import type { NamespaceRecord } from "../store/records.ts";

export function groupJson(context: ForgeContext, group: NamespaceRecord) {
  const names = withAncestors(context.store, group.id).map((each) => each.name);
  return {
    id: group.id,
    web_url: `${context.url}/groups/${group.fullPath}`,
    name: group.name,
    path: group.path,
    description: group.description,
    visibility: group.visibility,
    share_with_group_lock: false,
    require_two_factor_authentication: false,
    project_creation_level: "developer",
    subgroup_creation_level: "maintainer",
    emails_enabled: true,
    lfs_enabled: true,
    request_access_enabled: false,
    avatar_url: null,
    full_name: names.reverse().join(" / "),
    full_path: group.fullPath,
    created_at: group.createdAt,
    parent_id: group.parentId,
    organization_id: 1,
    shared_runners_setting: "enabled",
  };
}

/** A group or a user's own namespace, as inside a project. */
export function namespaceJson(context: ForgeContext, namespace: NamespaceRecord) {
  const isUser = namespace.kind === "user";
  return {
    id: namespace.id,
    name: namespace.name,
    path: namespace.path,
    kind: namespace.kind,
    full_path: namespace.fullPath,
    parent_id: namespace.parentId,
    avatar_url: null,
    web_url: `${context.url}/${isUser ? "" : "groups/"}${namespace.fullPath}`,
  };
}
