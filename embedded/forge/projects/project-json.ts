import { canSeeProject, directMember, groupMemberLevel, withAncestors } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { namespaceJson } from "../groups/group-json.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";

/** The short form of lists with `simple=true`. */
export function projectSimpleJson(context: ForgeContext, project: ProjectRecord) {
  const namespace = context.store.namespaces.get(project.namespaceId);
  return {
    id: project.id,
    description: project.description,
    name: project.name,
    name_with_namespace: nameWithNamespace(context, project),
    path: project.path,
    path_with_namespace: project.fullPath,
    created_at: project.createdAt,
    default_branch: project.empty ? null : project.defaultBranch,
    tag_list: project.topics,
    topics: project.topics,
    ssh_url_to_repo: sshUrl(context, project),
    http_url_to_repo: httpUrl(context, project),
    web_url: webUrl(context, project),
    readme_url: project.empty
      ? null
      : `${webUrl(context, project)}/-/blob/${project.defaultBranch}/README.md`,
    forks_count: context.store.forksByProject.all(String(project.id)).length,
    avatar_url: null,
    star_count: 0,
    last_activity_at: project.lastActivityAt,
    visibility: project.visibility,
    namespace: namespace ? namespaceJson(context, namespace) : null,
  };
}

export function projectJson(context: ForgeContext, project: ProjectRecord, user: UserRecord | undefined) {
  const { store, clock } = context;
  const direct = user && directMember(store, "project", project.id, user.id, clock());
  const groupLevel = user ? groupMemberLevel(store, user, project.namespaceId, clock()) : 0;
  return {
    ...projectSimpleJson(context, project),
    _links: {
      self: `${context.url}/api/v4/projects/${project.id}`,
      members: `${context.url}/api/v4/projects/${project.id}/members`,
      repo_branches: `${context.url}/api/v4/projects/${project.id}/repository/branches`,
    },
    ...forkedFromJson(context, project, user),
    container_registry_enabled: false,
    packages_enabled: false,
    empty_repo: project.empty,
    archived: project.archived,
    updated_at: project.updatedAt,
    creator_id: project.creatorId,
    import_status: "none",
    import_error: null,
    issues_enabled: false,
    merge_requests_enabled: true,
    wiki_enabled: false,
    jobs_enabled: false,
    snippets_enabled: false,
    lfs_enabled: true,
    shared_runners_enabled: false,
    open_issues_count: 0,
    shared_with_groups: [],
    merge_method: project.mergeMethod,
    squash_option: project.squashOption,
    only_allow_merge_if_pipeline_succeeds: project.onlyAllowMergeIfPipelineSucceeds,
    only_allow_merge_if_all_discussions_are_resolved: project.onlyAllowMergeIfDiscussionsResolved ?? false,
    remove_source_branch_after_merge: true,
    request_access_enabled: false,
    ci_config_path: project.ciConfigPath ?? "",
    permissions: {
      project_access: direct ? { access_level: direct.accessLevel, notification_level: 3 } : null,
      group_access: groupLevel > 0 ? { access_level: groupLevel, notification_level: 3 } : null,
    },
  };
}

/** The project this is a fork of, for whoever can see that one. */
function forkedFromJson(context: ForgeContext, project: ProjectRecord, user: UserRecord | undefined) {
  const { store, clock } = context;
  const source = project.forkedFromId == null ? undefined : store.projects.get(project.forkedFromId);
  if (!source || !canSeeProject(store, user, source, clock())) return {};
  return { forked_from_project: projectSimpleJson(context, source) };
}

/** `Group / Project`, by display names. */
export function nameWithNamespace(context: ForgeContext, project: ProjectRecord): string {
  const names = withAncestors(context.store, project.namespaceId).map((each) => each.name);
  return [...names.reverse(), project.name].join(" / ");
}

export function webUrl(context: ForgeContext, project: ProjectRecord): string {
  return `${context.url}/${project.fullPath}`;
}

export function httpUrl(context: ForgeContext, project: ProjectRecord): string {
  return `${webUrl(context, project)}.git`;
}

/** Shown for completeness; nothing listens for SSH. */
export function sshUrl(context: ForgeContext, project: ProjectRecord): string {
  return `git@${new URL(context.url).hostname}:${project.fullPath}.git`;
}
