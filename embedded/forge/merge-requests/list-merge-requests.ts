import type { ForgeContext } from "../forge-context.ts";
import { badParameter } from "../http/api-error.ts";
import type { Parameters } from "../http/parameters.ts";
import type { MergeRequestRecord } from "../store/merge-request-records.ts";
import type { UserRecord } from "../store/records.ts";
import { isDraft } from "./draft.ts";

type Test = (mergeRequest: MergeRequestRecord) => boolean;

/** The filters and orders all lists of merge requests share; the newest first when nothing is said. */
export function listMergeRequests(
  context: ForgeContext,
  mergeRequests: readonly MergeRequestRecord[],
  parameters: Parameters,
  caller: UserRecord | undefined,
): MergeRequestRecord[] {
  const tests: Test[] = [
    ...fieldTests(parameters),
    ...labelTests(parameters),
    ...peopleTests(context, parameters, caller),
    ...timeTests(parameters),
  ];
  const order =
    parameters.choice("order_by", ["created_at", "updated_at", "merged_at", "title"]) ?? "created_at";
  const sign = (parameters.choice("sort", ["asc", "desc"]) ?? "desc") === "asc" ? 1 : -1;
  const keyOf = (each: MergeRequestRecord): string =>
    ({
      created_at: each.createdAt,
      updated_at: each.updatedAt,
      merged_at: each.mergedAt ?? "",
      title: each.title.toLowerCase(),
    })[order];
  return mergeRequests
    .filter((each) => tests.every((test) => test(each)))
    .sort((a, b) => sign * (compare(keyOf(a), keyOf(b)) || a.id - b.id));
}

function fieldTests(parameters: Parameters): Test[] {
  const state = parameters.choice("state", ["opened", "closed", "locked", "merged", "all"]) ?? "all";
  const source = parameters.filled("source_branch");
  const target = parameters.filled("target_branch");
  const sourceProject = parameters.integer("source_project_id");
  const iids = parameters.texts("iids")?.map(Number);
  const search = parameters.filled("search")?.toLowerCase();
  const where = parameters.texts("in") ?? ["title", "description"];
  const draft = parameters.choice("wip", ["yes", "no"]);
  const isWanted = draft === undefined ? parameters.boolean("draft") : draft === "yes";
  return [
    (each) => state === "all" || each.state === state,
    (each) => source === undefined || each.sourceBranch === source,
    (each) => target === undefined || each.targetBranch === target,
    (each) => sourceProject === undefined || each.sourceProjectId === sourceProject,
    (each) => iids === undefined || iids.length === 0 || iids.includes(each.iid),
    (each) => isWanted === undefined || isDraft(each.title) === isWanted,
    (each) =>
      search === undefined ||
      (where.includes("title") && each.title.toLowerCase().includes(search)) ||
      (where.includes("description") && each.description.toLowerCase().includes(search)),
  ];
}

function labelTests(parameters: Parameters): Test[] {
  const labels = parameters.texts("labels") ?? [];
  const [only] = labels;
  if (labels.length === 1 && /^(none|any)$/i.test(only ?? "")) {
    const wantsAny = only?.toLowerCase() === "any";
    return [(each) => each.labels.length > 0 === wantsAny];
  }
  return [(each) => labels.every((label) => each.labels.includes(label))];
}

function peopleTests(context: ForgeContext, parameters: Parameters, caller: UserRecord | undefined): Test[] {
  const idOf = (role: string): number | undefined => {
    const name = parameters.filled(`${role}_username`);
    if (name !== undefined) return context.store.usersByName.first(name.toLowerCase())?.id ?? -1;
    const id = parameters.text(`${role}_id`);
    return id === undefined || /^(any|none)$/i.test(id) ? undefined : Number(id);
  };
  const [author, assignee, reviewer] = ["author", "assignee", "reviewer"].map(idOf);
  const scope = parameters.choice("scope", ["all", "created_by_me", "assigned_to_me", "reviews_for_me"]);
  return [
    (each) => author === undefined || each.authorId === author,
    (each) => assignee === undefined || each.assigneeIds.includes(assignee),
    (each) => reviewer === undefined || each.reviewerIds.includes(reviewer),
    (each) =>
      scope === undefined ||
      scope === "all" ||
      (scope === "created_by_me" && each.authorId === caller?.id) ||
      (scope === "assigned_to_me" && each.assigneeIds.includes(caller?.id ?? -1)) ||
      (scope === "reviews_for_me" && each.reviewerIds.includes(caller?.id ?? -1)),
  ];
}

function timeTests(parameters: Parameters): Test[] {
  const time = (name: string): number | undefined => {
    const text = parameters.filled(name);
    const parsed = text === undefined ? undefined : Date.parse(text);
    if (Number.isNaN(parsed)) throw badParameter(`${name} is invalid`);
    return parsed;
  };
  const [createdAfter, createdBefore] = [time("created_after"), time("created_before")];
  const [updatedAfter, updatedBefore] = [time("updated_after"), time("updated_before")];
  const isAfter = (at: string, bound: number | undefined) => bound === undefined || Date.parse(at) >= bound;
  const isBefore = (at: string, bound: number | undefined) => bound === undefined || Date.parse(at) <= bound;
  return [
    (each) => isAfter(each.createdAt, createdAfter) && isBefore(each.createdAt, createdBefore),
    (each) => isAfter(each.updatedAt, updatedAfter) && isBefore(each.updatedAt, updatedBefore),
  ];
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
