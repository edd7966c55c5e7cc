import type { ForgeContext } from "../../forge-context.ts";
import type { GitCommit } from "../../git/commit.ts";
import { forgeVersion } from "../../metadata/forge-version.ts";
import { httpUrl, webUrl } from "../../projects/project-json.ts";
import { isProtected } from "../../repository/branch-protection.ts";
import type { ProjectRecord, UserRecord } from "../../store/records.ts";
import type { CiJob, CiPipeline } from "../ci-records.ts";
import { environmentSlugOf, slugOf } from "./slug.ts";

/** Of a pipeline, what its variables are made of before it is there. */
export type PipelineFacts = Pick<
  CiPipeline,
  "ref" | "tag" | "sha" | "beforeSha" | "source" | "mergeRequest"
> & { id?: number; iid?: number; name?: string | null; createdAt: string };

export interface Surroundings {
  project: ProjectRecord;
  user: UserRecord;
  commit: GitCommit;
  pipeline: PipelineFacts;
}

/** Only what runs on a protected branch sees protected variables. */
export function runsProtected(project: ProjectRecord, { ref, tag, mergeRequest }: PipelineFacts): boolean {
  return !tag && mergeRequest === null && isProtected(project, ref);
}

/** What every job of a pipeline finds predefined, by GitLab's names. */
export function predefinedOfPipeline(context: ForgeContext, around: Surroundings): Record<string, string> {
  const { project, user, commit, pipeline } = around;
  const server = new URL(context.url);
  const port = server.port || (server.protocol === "https:" ? "443" : "80");
  const namespace = project.fullPath.slice(0, -project.path.length - 1);
  const [title = "", ...rest] = commit.message.split("\n");
  const id = pipeline.id === undefined ? {} : { CI_PIPELINE_ID: String(pipeline.id) };
  const [major = "", minor = "", patch = ""] = forgeVersion.split(/[.-]/);
  return {
    CI: "true",
    GITLAB_CI: "true",
    CI_SERVER: "yes",
    CI_SERVER_NAME: "GitLab",
    CI_SERVER_VERSION: forgeVersion,
    CI_SERVER_VERSION_MAJOR: major,
    CI_SERVER_VERSION_MINOR: minor,
    CI_SERVER_VERSION_PATCH: patch,
    CI_SERVER_URL: context.url,
    CI_SERVER_HOST: server.hostname,
    CI_SERVER_PORT: port,
    CI_SERVER_PROTOCOL: server.protocol.replace(":", ""),
    CI_SERVER_FQDN: server.host,
    CI_API_V4_URL: `${context.url}/api/v4`,
    CI_API_GRAPHQL_URL: `${context.url}/api/graphql`,
    CI_PROJECT_ID: String(project.id),
    CI_PROJECT_NAME: project.path,
    CI_PROJECT_TITLE: project.name,
    CI_PROJECT_DESCRIPTION: project.description ?? "",
    CI_PROJECT_PATH: project.fullPath,
    CI_PROJECT_PATH_SLUG: slugOf(project.fullPath),
    CI_PROJECT_NAMESPACE: namespace,
    CI_PROJECT_NAMESPACE_ID: String(project.namespaceId),
    CI_PROJECT_ROOT_NAMESPACE: namespace.split("/")[0] ?? "",
    CI_PROJECT_URL: webUrl(context, project),
    CI_PROJECT_VISIBILITY: project.visibility,
    CI_DEFAULT_BRANCH: project.defaultBranch,
    CI_CONFIG_PATH: project.ciConfigPath ?? ".gitlab-ci.yml",
    CI_REPOSITORY_URL: httpUrl(context, project),
    CI_COMMIT_SHA: pipeline.sha,
    CI_COMMIT_SHORT_SHA: pipeline.sha.slice(0, 8),
    CI_COMMIT_BEFORE_SHA: pipeline.beforeSha,
    CI_COMMIT_REF_NAME: pipeline.mergeRequest?.sourceBranch ?? pipeline.ref,
    CI_COMMIT_REF_SLUG: slugOf(pipeline.mergeRequest?.sourceBranch ?? pipeline.ref),
    CI_COMMIT_REF_PROTECTED: String(runsProtected(project, pipeline)),
    CI_COMMIT_MESSAGE: commit.message,
    CI_COMMIT_TITLE: title,
    CI_COMMIT_DESCRIPTION: rest.join("\n").trim(),
    CI_COMMIT_TIMESTAMP: commit.committer.date,
    CI_COMMIT_AUTHOR: `${commit.author.name} <${commit.author.email}>`,
    ...branchOrTag(pipeline),
    CI_PIPELINE_SOURCE: pipeline.source,
    CI_PIPELINE_CREATED_AT: pipeline.createdAt,
    ...(pipeline.source === "trigger" ? { CI_PIPELINE_TRIGGERED: "true" } : {}),
    ...id,
    ...(pipeline.iid === undefined ? {} : { CI_PIPELINE_IID: String(pipeline.iid) }),
    ...(pipeline.id === undefined
      ? {}
      : { CI_PIPELINE_URL: `${webUrl(context, project)}/-/pipelines/${pipeline.id}` }),
    ...(pipeline.name === undefined || pipeline.name === null ? {} : { CI_PIPELINE_NAME: pipeline.name }),
    GITLAB_USER_ID: String(user.id),
    GITLAB_USER_LOGIN: user.username,
    GITLAB_USER_NAME: user.name,
    GITLAB_USER_EMAIL: user.email,
    ...ofMergeRequest(context, project, pipeline),
  };
}

/** Predefined ones that gitlab-ci-local would set and such a pipeline has not. */
export function unsetOf({ tag, mergeRequest }: PipelineFacts): string[] {
  return tag || mergeRequest ? ["CI_COMMIT_BRANCH"] : [];
}

function branchOrTag({ ref, tag, mergeRequest }: PipelineFacts): Record<string, string> {
  if (mergeRequest) return {};
  return tag ? { CI_COMMIT_TAG: ref } : { CI_COMMIT_BRANCH: ref };
}

function ofMergeRequest(
  context: ForgeContext,
  project: ProjectRecord,
  { mergeRequest, ref, sha }: PipelineFacts,
): Record<string, string> {
  if (!mergeRequest) return {};
  const source = context.store.projects.get(mergeRequest.sourceProjectId) ?? project;
  return {
    CI_MERGE_REQUEST_IID: String(mergeRequest.iid),
    CI_MERGE_REQUEST_TITLE: mergeRequest.title,
    CI_MERGE_REQUEST_REF_PATH: ref,
    CI_MERGE_REQUEST_PROJECT_ID: String(project.id),
    CI_MERGE_REQUEST_PROJECT_PATH: project.fullPath,
    CI_MERGE_REQUEST_PROJECT_URL: webUrl(context, project),
    CI_MERGE_REQUEST_SOURCE_BRANCH_NAME: mergeRequest.sourceBranch,
    CI_MERGE_REQUEST_SOURCE_BRANCH_SHA: sha,
    CI_MERGE_REQUEST_SOURCE_PROJECT_ID: String(source.id),
    CI_MERGE_REQUEST_SOURCE_PROJECT_PATH: source.fullPath,
    CI_MERGE_REQUEST_SOURCE_PROJECT_URL: webUrl(context, source),
    CI_MERGE_REQUEST_TARGET_BRANCH_NAME: mergeRequest.targetBranch,
    CI_MERGE_REQUEST_DIFF_BASE_SHA: mergeRequest.diffBaseSha,
    CI_MERGE_REQUEST_EVENT_TYPE: "detached",
  };
}

/** What a job finds beside that. */
export function predefinedOfJob(
  context: ForgeContext,
  project: ProjectRecord,
  job: Pick<CiJob, "plan" | "createdAt"> & { id?: number; timeoutMs?: number },
): Record<string, string> {
  const { plan } = job;
  const { environment, node } = plan;
  const directory = `/builds/${project.fullPath}`;
  return {
    CI_BUILDS_DIR: "/builds",
    CI_PROJECT_DIR: directory,
    CI_JOB_NAME: plan.name,
    CI_JOB_NAME_SLUG: slugOf(plan.name),
    CI_JOB_GROUP_NAME: plan.name.replace(/:? \[.*\]$| \d+\/\d+$/, ""),
    CI_JOB_STAGE: plan.stage,
    ...(job.id === undefined
      ? {}
      : { CI_JOB_ID: String(job.id), CI_JOB_URL: `${webUrl(context, project)}/-/jobs/${job.id}` }),
    ...(job.timeoutMs === undefined ? {} : { CI_JOB_TIMEOUT: String(Math.round(job.timeoutMs / 1_000)) }),
    ...(plan.when === "manual" ? { CI_JOB_MANUAL: "true" } : {}),
    ...(plan.image === null ? {} : { CI_JOB_IMAGE: plan.image }),
    CI_NODE_TOTAL: String(node?.total ?? 1),
    ...(node === null ? {} : { CI_NODE_INDEX: String(node.index) }),
    CI_RUNNER_ID: "1",
    CI_RUNNER_DESCRIPTION: "dtaas",
    CI_RUNNER_TAGS: JSON.stringify(plan.tags),
    CI_DISPOSABLE_ENVIRONMENT: "true",
    CI_CONCURRENT_ID: "0",
    ...(environment === null
      ? {}
      : {
          CI_ENVIRONMENT_NAME: environment.name,
          CI_ENVIRONMENT_SLUG: environmentSlugOf(environment.name),
          CI_ENVIRONMENT_ACTION: environment.action,
          CI_ENVIRONMENT_TIER: environment.tier ?? tierOf(environment.name),
          ...(environment.url === null ? {} : { CI_ENVIRONMENT_URL: environment.url }),
        }),
  };
}

/** What an environment seems to be for, by its name. */
export function tierOf(name: string): string {
  if (/dev|review/i.test(name)) return "development";
  if (/test|qa|accept/i.test(name)) return "testing";
  if (/stag|demo|pre/i.test(name)) return "staging";
  return /prod|live/i.test(name) ? "production" : "other";
}
