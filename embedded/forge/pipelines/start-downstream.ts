import { messageOf } from "#core/errors";
import { canSeeProject } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { ApiError } from "../http/api-error.ts";
import { readArtifact } from "../jobs/artifact-files.ts";
import { finishJob, settle, tellBridge } from "./advance.ts";
import { changeJob } from "./change-job.ts";
import type { CiJob, CiPipeline, GivenVariable } from "./ci-records.ts";
import type { IncludePlan } from "./config/job-plan.ts";
import { createPipeline, type NewPipeline } from "./create-pipeline.ts";
import { newest } from "./state/job-state.ts";
import { expandText } from "./variables/expand.ts";
import { asTexts, jobVariables } from "./variables/job-variables.ts";

const maxDepth = 2; // children and their children, as in GitLab
const maxChildBytes = 1024 * 1024; // of a file among artifacts that a child pipeline is made of
const childFolder = "dtaas-child-pipeline"; // where such files stand for the parser

/** Starts the pipeline that a bridge is there for. What keeps it from being made is the bridge's failure, and its log tells it. */
export async function startDownstream(context: ForgeContext, bridgeId: number): Promise<void> {
  const { ci } = context;
  try {
    const wanted = await wantedOf(context, bridgeId);
    if (!wanted) return;
    const child = await createPipeline(context, wanted);
    if (!child) throw new Error("it has no jobs to run");
    await ci.serially(() => noteChild(context, bridgeId, child.id));
  } catch (error) {
    if (!(error instanceof ApiError))
      context.logger.warn({ job: bridgeId, err: messageOf(error) }, "no child pipeline");
    await ci.files.writeTrace(
      bridgeId,
      `ERROR: the downstream pipeline could not be created: ${tellError(error)}\n`,
    );
    await ci.serially(() =>
      finishJob(context, bridgeId, { status: "failed", reason: "downstream_pipeline_creation_failed" }),
    );
  }
}

async function noteChild(context: ForgeContext, bridgeId: number, childId: number): Promise<void> {
  const { store } = context.ci;
  const bridge = store.jobs.get(bridgeId);
  if (!bridge) return;
  await store.jobs.update(bridgeId, { downstreamId: childId });
  const startedAt = bridge.startedAt ?? context.clock().toISOString();
  await changeJob(context, bridgeId, { status: "running", startedAt });
  if (!bridge.plan.trigger?.depends) return await finishJob(context, bridgeId, { status: "success" });
  await settle(context, bridge.pipelineId);
  const child = store.pipelines.get(childId);
  if (child) await tellBridge(context, child); // it may have ended by now
}

async function wantedOf(context: ForgeContext, bridgeId: number): Promise<NewPipeline | undefined> {
  const { store } = context.ci;
  const bridge = store.jobs.get(bridgeId);
  const parent = bridge && store.pipelines.get(bridge.pipelineId);
  const project = bridge && context.store.projects.get(bridge.projectId);
  const user = bridge && context.store.users.get(bridge.userId);
  const trigger = bridge?.plan.trigger;
  if (!bridge || !parent || !project || !user || !trigger || bridge.status !== "pending") return undefined;
  if (depthOf(context, parent) >= maxDepth) {
    throw new Error(
      `child pipelines of child pipelines of child pipelines are too deep (${maxDepth} levels at most)`,
    );
  }
  const commit = await context.objects.commit(context.repositories.path(project.id), parent.sha);
  if (!commit) throw new Error("the commit is not there any more");
  const around = { project, user, commit, pipeline: parent };
  const all = jobVariables(context, { around, job: bridge, dotenv: {}, timeoutMs: 0 });
  const texts = asTexts(all, project);
  const variables = forwarded(bridge, parent, texts);
  if (trigger.project !== null) {
    const path = expandText(trigger.project, texts);
    const other = context.store.projectsByPath.first(path.toLowerCase());
    if (!other || !canSeeProject(context.store, user, other, context.clock()))
      throw new Error(`the project ${path} is not there, or may not be seen`);
    const ref = trigger.branch === null ? other.defaultBranch : expandText(trigger.branch, texts);
    return {
      project: other,
      user,
      ref,
      source: "pipeline",
      variables,
      inputs: trigger.inputs,
      child: { bridgeId },
    };
  }
  const made = await childFiles(context, bridge, trigger.include, texts);
  return {
    project,
    user,
    ref: parent.ref,
    tag: parent.tag,
    sha: parent.sha,
    beforeSha: parent.beforeSha,
    source: "parent_pipeline",
    variables,
    child: { bridgeId, ...made },
    ...(parent.mergeRequest === null ? {} : { mergeRequest: parent.mergeRequest }),
  };
}

/** Variables of the job and of the file it stands in, and on demand those that the parent was given. */
function forwarded(
  bridge: CiJob,
  parent: CiPipeline,
  texts: Readonly<Record<string, string>>,
): GivenVariable[] {
  const { trigger, inherits, variables } = bridge.plan;
  const names = new Set<string>();
  if (trigger?.forwardsYamlVariables) {
    for (const name of Object.keys(parent.yamlVariables)) {
      if (inherits === true || (Array.isArray(inherits) && inherits.includes(name))) names.add(name);
    }
    for (const name of Object.keys(variables)) names.add(name);
  }
  const given = trigger?.forwardsPipelineVariables ? [...parent.variables, ...bridge.playVariables] : [];
  const own = [...names].map(
    (key): GivenVariable => ({ key, value: texts[key] ?? "", type: "env_var", raw: true }),
  );
  return [...new Map([...given, ...own].map((each) => [each.key, each])).values()];
}

async function childFiles(
  context: ForgeContext,
  bridge: CiJob,
  includes: readonly IncludePlan[],
  texts: Readonly<Record<string, string>>,
): Promise<{ include: Record<string, unknown>[]; also: Map<string, string> }> {
  const also = new Map<string, string>();
  const include: Record<string, unknown>[] = [];
  for (const each of includes) {
    const inputs = Object.keys(each.inputs).length === 0 ? {} : { inputs: each.inputs };
    if (each.artifact !== null) {
      const path = `${childFolder}/${also.size}.yml`;
      also.set(path, await artifactText(context, bridge, each, texts));
      include.push({ local: `/${path}`, ...inputs });
    } else if (each.project !== null) {
      const ref = each.ref === null ? {} : { ref: each.ref };
      include.push({ project: each.project, file: each.file, ...ref, ...inputs });
    } else if (each.local !== null) {
      include.push({ local: `/${expandText(each.local, texts).replace(/^\/+/, "")}`, ...inputs });
    } else
      throw new Error("an include of the trigger is neither local nor an artifact nor of a project here");
  }
  return { include, also };
}

async function artifactText(
  { ci }: ForgeContext,
  bridge: CiJob,
  { artifact, job }: IncludePlan,
  texts: Readonly<Record<string, string>>,
): Promise<string> {
  const path = expandText(artifact ?? "", texts);
  const giver = newest(ci.store.jobsByPipeline.all(String(bridge.pipelineId))).find(
    ({ plan }) => plan.name === job,
  );
  if (!giver?.artifacts) throw new Error(`the job ${job} has left no artifacts`);
  const content = await readArtifact(ci.files.artifactsPath(giver.id), path, maxChildBytes);
  if (!content) throw new Error(`${path} is not among the artifacts of ${job}, or is larger than 1 MiB`);
  return content.toString("utf8");
}

function depthOf({ ci }: ForgeContext, pipeline: CiPipeline): number {
  let depth = 0;
  for (let bridgeId = pipeline.bridgeId; bridgeId !== null; depth += 1) {
    const above = ci.store.pipelines.get(ci.store.jobs.get(bridgeId)?.pipelineId ?? -1);
    bridgeId = above?.bridgeId ?? null;
  }
  return depth;
}

function tellError(error: unknown): string {
  const base =
    error instanceof ApiError ? (error.body["message"] as { base?: string[] } | undefined)?.base : undefined;
  return base?.join("; ") ?? messageOf(error);
}
