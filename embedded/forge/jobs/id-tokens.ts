import { accessLevels } from "../access/access-level.ts";
import { projectLevel } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import type { CiJob, CiPipeline } from "../pipelines/ci-records.ts";
import { runsProtected, tierOf } from "../pipelines/variables/predefined.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";

/** What an ID token says of a job, all ids and truths as texts, as GitLab has it. */
export function idTokenClaims(
  context: ForgeContext,
  {
    project,
    user,
    pipeline,
    job,
  }: { project: ProjectRecord; user: UserRecord; pipeline: CiPipeline; job: CiJob },
): Record<string, unknown> {
  const refType = pipeline.tag ? "tag" : "branch";
  const ref = pipeline.mergeRequest?.sourceBranch ?? pipeline.ref;
  const refPath = pipeline.mergeRequest
    ? pipeline.ref
    : `refs/${pipeline.tag ? "tags" : "heads"}/${pipeline.ref}`;
  // In a merge request of another project that one is the source; the job runs here.
  const source = context.store.projects.get(pipeline.mergeRequest?.sourceProjectId ?? project.id) ?? project;
  const { environment } = job.plan;
  const server = new URL(context.url);
  return {
    sub: `project_path:${source.fullPath}:ref_type:${refType}:ref:${ref}`,
    namespace_id: String(source.namespaceId),
    namespace_path: namespacePath(source),
    project_id: String(source.id),
    project_path: source.fullPath,
    project_visibility: source.visibility,
    job_project_id: String(project.id),
    job_project_path: project.fullPath,
    job_namespace_id: String(project.namespaceId),
    job_namespace_path: namespacePath(project),
    user_id: String(user.id),
    user_login: user.username,
    user_email: user.email,
    user_access_level: roleOf(projectLevel(context.store, user, project, context.clock())),
    pipeline_id: String(pipeline.id),
    pipeline_source: pipeline.source,
    job_id: String(job.id),
    ref,
    ref_type: refType,
    ref_path: refPath,
    ref_protected: String(runsProtected(project, pipeline)),
    runner_id: 1,
    runner_environment: "self-hosted",
    sha: pipeline.sha,
    ci_config_ref_uri: `${server.host}/${project.fullPath}//${project.ciConfigPath ?? ".gitlab-ci.yml"}@${refPath}`,
    ci_config_sha: pipeline.sha,
    ...(environment === null
      ? {}
      : {
          environment: environment.name,
          environment_protected: "false",
          deployment_tier: environment.tier ?? tierOf(environment.name),
          environment_action: environment.action,
        }),
  };
}

function namespacePath({ fullPath, path }: ProjectRecord): string {
  return fullPath.slice(0, -path.length - 1);
}

/** The role that a level amounts to; administrators count as owners. */
function roleOf(level: number): string {
  const roles = ["owner", "maintainer", "developer", "reporter", "planner", "guest"] as const;
  return roles.find((role) => level >= accessLevels[role]) ?? "none";
}
