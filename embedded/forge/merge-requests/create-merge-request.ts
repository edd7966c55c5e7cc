import { canReadCode } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { isForkOf } from "../forks/is-fork-of.ts";
import { branchHead } from "../git/refs.ts";
import { ApiError, badRequest, forbidden } from "../http/api-error.ts";
import { ensureLabels } from "../labels/ensure-labels.ts";
import type { MergeRequestRecord } from "../store/merge-request-records.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";
import { announceMergeRequest } from "./announce-merge-request.ts";
import { startMergeRequestPipeline } from "./merge-request-pipeline.ts";
import { isDeveloper } from "./merge-request-rights.ts";
import { checkTexts } from "./merge-request-texts.ts";
import { refreshNow } from "./refresh-merge-request.ts";
import { addVersion } from "./version.ts";

const maxOpen = 5_000; // merge requests of one project: each is looked at when its target moves
const maxPeople = 100; // assignees or reviewers of one; GitLab takes 200

export interface NewMergeRequest {
  source: ProjectRecord;
  sourceBranch: string;
  target: ProjectRecord;
  targetBranch: string;
  title: string;
  description?: string;
  labels?: readonly string[];
  assigneeIds?: readonly number[];
  reviewerIds?: readonly number[];
  removeSourceBranch?: boolean;
  squash?: boolean;
}

/**
 * Opens a merge request. It takes a Developer of the source project who can read the target; only Developers of the target
 * set labels and people. It is checked and its refs are there when this resolves. Throws `ApiError` 400, 403, 409 or 422.
 */
export async function createMergeRequest(
  context: ForgeContext,
  by: UserRecord,
  wanted: NewMergeRequest,
): Promise<MergeRequestRecord> {
  const { store, clock } = context;
  const { source, target } = wanted;
  if (!isDeveloper(context, source, by) || !canReadCode(store, by, target, clock())) throw forbidden();
  if (target.archived || source.archived) throw forbidden("The project is archived");
  if (source.id !== target.id && !isForkOf(context, source, target)) {
    throw new ApiError(422, { error: ["Source project is not a fork of the target project"] });
  }
  checkTexts(wanted);
  return await context.mergeRequestQueue.run(String(target.id), () => create(context, by, wanted));
}

async function create(
  context: ForgeContext,
  by: UserRecord,
  wanted: NewMergeRequest,
): Promise<MergeRequestRecord> {
  const { store, clock, repositories } = context;
  const { source, sourceBranch, target, targetBranch } = wanted;
  if (source.id === target.id && sourceBranch === targetBranch) {
    throw new ApiError(422, { error: ["You can't use same project/branch for source and target"] });
  }
  const head = await branchHead(repositories.path(source.id), sourceBranch);
  if (head === undefined) throw badRequest({ source_branch: ["does not exist"] });
  const into = await branchHead(repositories.path(target.id), targetBranch);
  if (into === undefined) throw badRequest({ target_branch: ["does not exist"] });
  refuseSecond(context, wanted);
  const project = store.projects.get(target.id) ?? target;
  const mayManage = isDeveloper(context, project, by);
  const labels = mayManage ? await ensureLabels(context, project, wanted.labels ?? []) : [];
  const assigneeIds = mayManage ? peopleOf(context, project, wanted.assigneeIds) : [];
  const reviewerIds = mayManage ? peopleOf(context, project, wanted.reviewerIds) : [];
  const iid = project.nextMergeRequest ?? 1;
  await store.projects.update(project.id, { nextMergeRequest: iid + 1 });
  const now = clock().toISOString();
  const made = await store.mergeRequests.insert((id) => ({
    id,
    iid,
    projectId: project.id,
    sourceProjectId: source.id,
    sourceBranch,
    targetBranch,
    title: wanted.title,
    description: wanted.description ?? "",
    state: "opened",
    authorId: by.id,
    assigneeIds,
    reviewerIds,
    labels,
    squash: wanted.squash ?? ["always", "default_on"].includes(project.squashOption),
    removeSourceBranch: wanted.removeSourceBranch ?? false,
    createdAt: now,
    updatedAt: now,
    updatedById: null,
    closedAt: null,
    closedById: null,
    mergedAt: null,
    mergedById: null,
    mergeCommit: null,
    squashCommit: null,
    mergeError: null,
    approvals: [],
  }));
  try {
    await addVersion(context, made, head);
  } catch (error) {
    await store.mergeRequests.remove(made.id);
    throw error;
  }
  const opened = (await refreshNow(context, made.id, { by })) ?? made;
  announceMergeRequest(context, opened, { action: "open", by });
  startMergeRequestPipeline(context, opened, by);
  return opened;
}

/** One open merge request from one branch into another; throws `ApiError` 409 for a second. */
export function refuseSecond(
  context: ForgeContext,
  wanted: { source: ProjectRecord; sourceBranch: string; target: ProjectRecord; targetBranch: string },
): void {
  const { store } = context;
  const { source, target } = wanted;
  const same = store.mergeRequestsBySource
    .all(`${source.id}:${wanted.sourceBranch}`)
    .find((each) => each.projectId === target.id && each.targetBranch === wanted.targetBranch);
  if (same) {
    throw new ApiError(409, {
      message: [`Another open merge request already exists for this source branch: !${same.iid}`],
    });
  }
  const open = store.mergeRequestsByProject.all(String(target.id)).filter((each) => each.state === "opened");
  if (open.length >= maxOpen) throw badRequest({ base: [`The project has ${maxOpen} open merge requests`] });
}

/** Those who are there and can read the project's code; others are left out, as GitLab does. */
export function peopleOf(
  context: ForgeContext,
  project: ProjectRecord,
  ids: readonly number[] | undefined,
): number[] {
  const { store, clock } = context;
  const known = [...new Set(ids ?? [])].slice(0, maxPeople).flatMap((id) => store.users.get(id) ?? []);
  return known.filter((user) => canReadCode(store, user, project, clock())).map((user) => user.id);
}
