import type { ForgeContext } from "../forge-context.ts";
import { httpUrl, sshUrl, webUrl } from "../projects/project-json.ts";
import type { ProjectRecord } from "../store/records.ts";

const visibilityLevels = { private: 0, internal: 10, public: 20 } as const;

/** `project` inside webhooks, with the four old names of its addresses. */
export function projectHookJson(context: ForgeContext, project: ProjectRecord) {
  return {
    id: project.id,
    name: project.name,
    description: project.description,
    web_url: webUrl(context, project),
    avatar_url: null,
    git_ssh_url: sshUrl(context, project),
    git_http_url: httpUrl(context, project),
    namespace: context.store.namespaces.get(project.namespaceId)?.name ?? "",
    visibility_level: visibilityLevels[project.visibility],
    path_with_namespace: project.fullPath,
    default_branch: project.defaultBranch,
    ci_config_path: project.ciConfigPath,
    homepage: webUrl(context, project),
    url: sshUrl(context, project),
    ssh_url: sshUrl(context, project),
    http_url: httpUrl(context, project),
  };
}

/** `repository` inside webhooks. */
export function repositoryHookJson(context: ForgeContext, project: ProjectRecord) {
  return {
    name: project.name,
    url: sshUrl(context, project),
    description: project.description,
    homepage: webUrl(context, project),
    git_http_url: httpUrl(context, project),
    git_ssh_url: sshUrl(context, project),
    visibility_level: visibilityLevels[project.visibility],
  };
}
