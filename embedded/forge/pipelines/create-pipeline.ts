import { accessLevels } from "../access/access-level.ts";
import { projectLevel } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import type { GitCommit } from "../git/commit.ts";
import { zeroId } from "../git/ref-name.ts";
import { branchHead, tagTarget } from "../git/refs.ts";
import { ApiError, badRequest, notImplemented } from "../http/api-error.ts";
import { canPush } from "../repository/branch-protection.ts";
import { treeEntries } from "../repository/tree-entries.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";
import { advance } from "./advance.ts";
import { announcePipeline } from "./announce.ts";
import type { CiPipeline, GivenVariable, MergeRequestOfPipeline, PipelineSource } from "./ci-records.ts";
import type { Parsed } from "./config/evaluate-files.ts";
import { insertFailed, insertPipeline, prunePipelines } from "./insert-pipeline.ts";
import { cancelAll } from "./job-actions.ts";
import { isComplete } from "./state/composite-status.ts";
import { newest } from "./state/job-state.ts";
import { type PipelineFacts, predefinedOfPipeline, runsProtected, unsetOf } from "./variables/predefined.ts";
import { storedVariables } from "./variables/stored-variables.ts";

const maxActiveOfProject = 25; // pipelines under way; each may hold two hundred jobs
const maxActiveOfUser = 50;
export const maxGivenVariables = 100;

export interface NewPipeline {
  project: ProjectRecord;
  user: UserRecord;
  /** A branch or a tag; of a merge request its `refs/merge-requests/:iid/head`. */
  ref: string;
  source: PipelineSource;
  variables?: readonly GivenVariable[];
  inputs?: Readonly<Record<string, unknown>>;
  /** Where the ref is to be taken as it was, such as after a push; default: where it points now. */
  sha?: string;
  beforeSha?: string;
  tag?: boolean;
  /** Paths that `rules:changes` is about; without them such rules hold. */
  changed?: readonly string[];
  mergeRequest?: MergeRequestOfPipeline;
  /** What a bridge has it made of, instead of the project's own file. */
  child?: {
    bridgeId: number | null;
    include?: readonly Readonly<Record<string, unknown>>[];
    also?: ReadonlyMap<string, string>;
  };
  /** A pipeline that cannot be read, or is too much, is kept as a failed one that says why: for a push nobody waits for an answer to. */
  keepsErrors?: boolean;
}

/**
 * Makes a pipeline and starts what can be started. `undefined` where the rules want none of a push. Throws `ApiError` in GitLab's words, 501
 * where no container engine is there to run jobs.
 */
export async function createPipeline(
  context: ForgeContext,
  wanted: NewPipeline,
): Promise<CiPipeline | undefined> {
  requireRunner(context);
  const { project, user } = wanted;
  const target = await targetOf(context, wanted);
  checkMayRun(context, wanted, target);
  const include = wanted.child?.include ?? (await ownFile(context, wanted, target.commit));
  if (include === undefined) {
    if (wanted.keepsErrors) return undefined;
    throw badRequest({ base: ["Missing CI config file"] });
  }
  const facts: PipelineFacts = {
    ref: wanted.ref,
    tag: target.tag,
    sha: target.commit.id,
    beforeSha: wanted.beforeSha ?? zeroId,
    source: wanted.source,
    mergeRequest: wanted.mergeRequest ?? null,
    createdAt: context.clock().toISOString(),
  };
  const tooMuch = limitProblem(context, project, user);
  if (tooMuch !== undefined && !wanted.keepsErrors) throw new ApiError(429, { message: { base: [tooMuch] } });
  const variables = { ...visibleVariables(context, wanted, facts, target.commit) };
  const read: Parsed =
    tooMuch === undefined
      ? await context.ci.parser.parse(context, {
          project,
          user,
          commit: target.commit.id,
          ref: wanted.ref,
          include,
          ...(wanted.child?.also === undefined ? {} : { also: wanted.child.also }),
          variables,
          unset: unsetOf(facts),
          changed: wanted.changed,
        })
      : { kind: "errors", errors: [tooMuch] };
  const parsed = wanted.source === "merge_request_event" ? withoutBranchJobs(read) : read;
  if (parsed.kind === "filtered") {
    if (wanted.keepsErrors) return undefined;
    throw badRequest({ base: [parsed.reason] });
  }
  if (parsed.kind === "errors" && !wanted.keepsErrors) throw badRequest({ base: parsed.errors });
  return await context.ci.serially(async () => {
    if (!context.store.projects.get(project.id)) return undefined; // gone meanwhile
    if (parsed.kind === "errors") return await insertFailed(context, wanted, facts, parsed.errors.join("\n"));
    const pipeline = await insertPipeline(context, wanted, facts, parsed.plan, variables);
    if (wanted.source === "push") await cancelRedundant(context, pipeline);
    announcePipeline(context, pipeline);
    await advance(context, pipeline.id);
    await prunePipelines(context, project.id);
    return context.ci.store.pipelines.get(pipeline.id);
  });
}

/** Jobs that say nothing of pipelines of merge requests are in none, as in GitLab. */
function withoutBranchJobs(parsed: Parsed): Parsed {
  if (parsed.kind !== "plan" || parsed.plan.hasWorkflowRules) return parsed;
  const jobs = parsed.plan.jobs.filter(({ hasRules }) => hasRules);
  if (jobs.length === 0) return { kind: "filtered", reason: "No stages / jobs for this pipeline." };
  return { ...parsed, plan: { ...parsed.plan, jobs } };
}

export function requireRunner({ ci }: ForgeContext): void {
  if (!ci.exchange) {
    throw notImplemented("running pipelines without a container engine, which jobs have to be locked up in,");
  }
}

interface Target {
  commit: GitCommit;
  tag: boolean;
}

async function targetOf(
  context: ForgeContext,
  { project, ref, sha, tag, mergeRequest }: NewPipeline,
): Promise<Target> {
  const gitDir = context.repositories.path(project.id);
  const branch = await branchHead(gitDir, ref);
  const isTag = tag ?? (branch === undefined && (await tagTarget(gitDir, ref)) !== undefined);
  if (sha === undefined && branch === undefined && !isTag && !mergeRequest) {
    throw badRequest({ base: ["Reference not found"] });
  }
  const commit = await context.objects.resolve(gitDir, sha ?? branch ?? ref);
  if (!commit) throw badRequest({ base: ["Reference not found"] });
  return { commit, tag: isTag };
}

/** A Developer, and on a protected branch somebody who may push there: its variables come within reach. */
function checkMayRun(
  context: ForgeContext,
  { project, user, ref, mergeRequest }: NewPipeline,
  { tag }: Target,
): void {
  const level = projectLevel(context.store, user, project, context.clock());
  const isMember = level >= accessLevels.developer;
  if (isMember && (tag || mergeRequest !== undefined || canPush(project, ref, level))) return;
  throw badRequest({
    base: [
      `You do not have sufficient permission to run a pipeline on '${ref}'. Please select a different branch or contact your administrator for assistance.`,
    ],
  });
}

async function ownFile(
  context: ForgeContext,
  { project, inputs }: NewPipeline,
  commit: GitCommit,
): Promise<Record<string, unknown>[] | undefined> {
  const path = (project.ciConfigPath ?? ".gitlab-ci.yml").replace(/^\/+/, "");
  const [entry] = await treeEntries(context.git, context.repositories.path(project.id), commit.id, [path]);
  if (entry?.type !== "blob") return undefined;
  return [{ local: `/${path}`, ...(inputs === undefined ? {} : { inputs }) }];
}

function limitProblem({ ci }: ForgeContext, project: ProjectRecord, user: UserRecord): string | undefined {
  const active = ci.store.pipelines.all().filter(({ status }) => !isComplete(status) && status !== "manual");
  const ofProject = active.filter(({ projectId }) => projectId === project.id).length;
  if (ofProject >= maxActiveOfProject) {
    return `${maxActiveOfProject} pipelines of this project are under way, which is the most there can be: wait, or cancel some`;
  }
  const ofUser = active.filter(({ userId }) => userId === user.id).length;
  return ofUser >= maxActiveOfUser
    ? `${maxActiveOfUser} pipelines that you have started are under way, which is the most there can be: wait, or cancel some`
    : undefined;
}

/** What conditions in the files can see. */
function visibleVariables(
  context: ForgeContext,
  { project, user, variables = [] }: NewPipeline,
  facts: PipelineFacts,
  commit: GitCommit,
): Record<string, string> {
  const stored = storedVariables(context, project, {
    isProtected: runsProtected(project, facts),
    environment: null,
  });
  return {
    ...predefinedOfPipeline(context, { project, user, commit, pipeline: facts }),
    ...Object.fromEntries(stored.map(({ key, value }) => [key, value])),
    ...Object.fromEntries(variables.map(({ key, value }) => [key, value])),
  };
}

/** A newer push makes older pipelines of the branch pointless, as long as nothing of them runs that must not be interrupted. */
async function cancelRedundant(context: ForgeContext, pipeline: CiPipeline): Promise<void> {
  const { store } = context.ci;
  if (pipeline.autoCancel === "none") return;
  const older = store.pipelinesByProject
    .all(String(pipeline.projectId))
    .filter(
      (each) =>
        each.id !== pipeline.id &&
        each.ref === pipeline.ref &&
        each.source === "push" &&
        !isComplete(each.status),
    );
  for (const each of older) {
    const jobs = newest(store.jobsByPipeline.all(String(each.id)));
    const begun = jobs.filter(({ startedAt }) => startedAt !== null);
    if (begun.every(({ plan }) => plan.interruptible)) await cancelAll(context, each.id);
  }
}
