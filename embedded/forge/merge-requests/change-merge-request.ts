import type { ForgeContext } from "../forge-context.ts";
import { branchHead } from "../git/refs.ts";
import { badRequest, forbidden } from "../http/api-error.ts";
import { ensureLabels } from "../labels/ensure-labels.ts";
import type { MergeRequestRecord } from "../store/merge-request-records.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";
import { announceMergeRequest } from "./announce-merge-request.ts";
import { peopleOf, refuseSecond } from "./create-merge-request.ts";
import { isDraft } from "./draft.ts";
import type { MergeRequestAction } from "./merge-request-payload.ts";
import { canChange, isDeveloper } from "./merge-request-rights.ts";
import { checkTexts } from "./merge-request-texts.ts";
import { refreshNow } from "./refresh-merge-request.ts";
import { systemNote } from "./system-note.ts";
import { addVersion, latestVersion } from "./version.ts";

export interface MergeRequestChange {
  title?: string;
  description?: string;
  stateEvent?: "close" | "reopen";
  targetBranch?: string;
  /** All that there are to be. */
  labels?: readonly string[];
  addLabels?: readonly string[];
  removeLabels?: readonly string[];
  assigneeIds?: readonly number[];
  reviewerIds?: readonly number[];
  squash?: boolean;
  removeSourceBranch?: boolean;
}

type Fields = Partial<Omit<MergeRequestRecord, "id">>;

/** Carries out `PUT /merge_requests/:iid`, for the author and for Developers. Throws `ApiError` 400, 403 or 409. */
export function changeMergeRequest(
  context: ForgeContext,
  id: number,
  by: UserRecord,
  change: MergeRequestChange,
): Promise<MergeRequestRecord> {
  const { store } = context;
  checkTexts(change);
  const projectId = store.mergeRequests.get(id)?.projectId ?? -1;
  return context.mergeRequestQueue.run(String(projectId), async () => {
    const before = store.mergeRequests.get(id);
    const project = store.projects.get(projectId);
    if (!before || !project || !canChange(context, project, before, by)) throw forbidden();
    return await apply(context, project, before, { by, change });
  });
}

async function apply(
  context: ForgeContext,
  project: ProjectRecord,
  before: MergeRequestRecord,
  { by, change }: { by: UserRecord; change: MergeRequestChange },
): Promise<MergeRequestRecord> {
  const { store, clock } = context;
  const now = clock().toISOString();
  const fields: Fields = {
    ...textFields(change),
    ...(isDeveloper(context, project, by) && (await managedFields(context, project, before, change))),
    ...stateFields(context, before, change.stateEvent, { now, by }),
  };
  const { targetBranch } = change;
  const retargets = targetBranch !== undefined && targetBranch !== before.targetBranch;
  if (retargets) {
    await checkTarget(context, project, before, targetBranch);
    fields.targetBranch = targetBranch;
  }
  const changes = changesBetween(before, fields);
  if (Object.keys(changes).length === 0) return before;
  const stored = { ...fields, updatedAt: now, updatedById: by.id };
  let after = await store.mergeRequests.update(before.id, stored);
  if (retargets) {
    await systemNote(
      context,
      after,
      by,
      `changed target branch from \`${before.targetBranch}\` to \`${targetBranch}\``,
    );
    const head = latestVersion(context, before)?.head;
    if (head !== undefined) await addVersion(context, after, head); // against another branch it is another difference
  }
  if (isDraft(before.title) !== isDraft(after.title)) {
    await systemNote(
      context,
      after,
      by,
      `marked this merge request as **${isDraft(after.title) ? "draft" : "ready"}**`,
    );
  }
  after = (await refreshNow(context, after.id, { by })) ?? after;
  announceMergeRequest(context, after, { action: actionOf(before, stored), by, changes });
  return after;
}

function textFields(change: MergeRequestChange): Fields {
  return {
    ...(change.title !== undefined && { title: change.title }),
    ...(change.description !== undefined && { description: change.description }),
    ...(change.squash !== undefined && { squash: change.squash }),
    ...(change.removeSourceBranch !== undefined && { removeSourceBranch: change.removeSourceBranch }),
  };
}

async function managedFields(
  context: ForgeContext,
  project: ProjectRecord,
  before: MergeRequestRecord,
  change: MergeRequestChange,
): Promise<Fields> {
  const removed = new Set(change.removeLabels ?? []);
  const kept = change.labels ?? before.labels;
  const labels = [...kept, ...(change.addLabels ?? [])].filter((label) => !removed.has(label));
  return {
    labels: await ensureLabels(context, project, labels),
    ...(change.assigneeIds && { assigneeIds: peopleOf(context, project, change.assigneeIds) }),
    ...(change.reviewerIds && { reviewerIds: peopleOf(context, project, change.reviewerIds) }),
  };
}

function stateFields(
  context: ForgeContext,
  before: MergeRequestRecord,
  event: "close" | "reopen" | undefined,
  { now, by }: { now: string; by: UserRecord },
): Fields {
  if (event === "close" && before.state === "opened") {
    return { state: "closed", closedAt: now, closedById: by.id };
  }
  if (event !== "reopen" || before.state !== "closed") return {};
  const source = context.store.projects.get(before.sourceProjectId);
  const target = context.store.projects.get(before.projectId);
  if (!source || !target) throw badRequest({ base: ["Source project is gone"] });
  refuseSecond(context, { ...before, source, target });
  return { state: "opened", closedAt: null, closedById: null };
}

async function checkTarget(
  context: ForgeContext,
  project: ProjectRecord,
  before: MergeRequestRecord,
  targetBranch: string,
): Promise<void> {
  const head = await branchHead(context.repositories.path(project.id), targetBranch);
  if (head === undefined) throw badRequest({ target_branch: ["does not exist"] });
  const source = context.store.projects.get(before.sourceProjectId);
  if (before.state !== "opened" || !source) throw badRequest({ base: ["Merge request is not open"] });
  if (source.id === project.id && before.sourceBranch === targetBranch) {
    throw badRequest({ branch_conflict: ["You can't use same project/branch for source and target"] });
  }
  refuseSecond(context, { ...before, targetBranch, source, target: project });
}

const names: Readonly<Record<string, string>> = {
  title: "title",
  description: "description",
  state: "state",
  targetBranch: "target_branch",
  labels: "labels",
  assigneeIds: "assignee_ids",
  reviewerIds: "reviewer_ids",
  squash: "squash",
  removeSourceBranch: "force_remove_source_branch",
};

/** What is another now than it was, as webhooks tell it. */
function changesBetween(before: MergeRequestRecord, fields: Fields) {
  const changed = Object.entries(names).filter(([key]) => {
    const field = key as keyof Fields;
    return fields[field] !== undefined && JSON.stringify(fields[field]) !== JSON.stringify(before[field]);
  });
  return Object.fromEntries(
    changed.map(([key, name]) => {
      const field = key as keyof Fields;
      return [name, { previous: before[field], current: fields[field] }];
    }),
  );
}

function actionOf(before: MergeRequestRecord, fields: Fields): MergeRequestAction {
  if (fields.state === undefined || fields.state === before.state) return "update";
  return fields.state === "closed" ? "close" : "reopen";
}
