import { type Request, Router } from "express";
import { accessLevels } from "../access/access-level.ts";
import { callerOf, requireCaller } from "../access/caller.ts";
import { canReadCode, projectLevel, withAncestors } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { findGroup } from "../groups/find-group.ts";
import { badParameter, forbidden, notFound, notImplemented } from "../http/api-error.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters, pathParameter } from "../http/parameters.ts";
import { findProject, findProjectToChange } from "../projects/find-project.ts";
import type { MergeRequestRecord } from "../store/merge-request-records.ts";
import type { ProjectRecord } from "../store/records.ts";
import { changeMergeRequest, type MergeRequestChange } from "./change-merge-request.ts";
import { createMergeRequest } from "./create-merge-request.ts";
import { deleteMergeRequest } from "./delete-merge-request.ts";
import { findMergeRequest, findMergeRequestToChange } from "./find-merge-request.ts";
import { listMergeRequests } from "./list-merge-requests.ts";
import { mergeRequestDetailJson, mergeRequestJson, mergeRequestSimpleJson } from "./merge-request-json.ts";
import { canChange } from "./merge-request-rights.ts";
import { freshMergeRequest } from "./refresh-merge-request.ts";

const changeable = [
  ["title", "description", "state_event", "target_branch", "labels", "add_labels", "remove_labels"],
  ["assignee_id", "assignee_ids", "reviewer_ids", "squash", "remove_source_branch"],
].flat();

/** `merge_requests` of a project, a group and of all: list, create, show, change and delete. */
export function mergeRequestRoutes(context: ForgeContext): Router {
  const { store, clock } = context;
  const routes = Router({ caseSensitive: true });
  const base = "/projects/:id/merge_requests";

  routes.get(base, async (request, response) => {
    const project = findProject(context, request, "code");
    const all = store.mergeRequestsByProject.all(String(project.id));
    const found = listMergeRequests(context, all, Parameters.of(request), callerOf(request)?.user);
    response.json(await listJson(context, request, paginate(context, request, response, found)));
  });

  routes.get("/merge_requests", async (request, response) => {
    const { user } = requireCaller(request);
    const parameters = Parameters.of(request);
    const visible = store.mergeRequests.all().filter(isVisible(request));
    const mine = parameters.has("scope") ? visible : visible.filter((each) => each.authorId === user.id);
    const found = listMergeRequests(context, mine, parameters, user);
    response.json(await listJson(context, request, paginate(context, request, response, found)));
  });

  routes.get("/groups/:id/merge_requests", async (request, response) => {
    const group = findGroup(context, request);
    const isWithin = ({ projectId }: MergeRequestRecord) => {
      const namespaceId = store.projects.get(projectId)?.namespaceId ?? -1;
      return withAncestors(store, namespaceId).some((namespace) => namespace.id === group.id);
    };
    const visible = store.mergeRequests.all().filter(isWithin).filter(isVisible(request));
    const found = listMergeRequests(context, visible, Parameters.of(request), callerOf(request)?.user);
    response.json(await listJson(context, request, paginate(context, request, response, found)));
  });

  routes.post(base, async (request, response) => {
    const { project: source, user } = findProjectToChange(context, request, "developer");
    const parameters = Parameters.of(request);
    const description = parameters.text("description");
    const labels = parameters.texts("labels");
    const removeSourceBranch = parameters.boolean("remove_source_branch");
    const squash = parameters.boolean("squash");
    refuseUnknown(parameters);
    const target = targetOf(context, request, source);
    const made = await createMergeRequest(context, user, {
      source,
      target,
      title: parameters.required("title"),
      sourceBranch: parameters.requiredFilled("source_branch"),
      targetBranch: parameters.requiredFilled("target_branch"),
      ...peopleIn(parameters),
      ...(description !== undefined && { description }),
      ...(labels && { labels }),
      ...(removeSourceBranch !== undefined && { removeSourceBranch }),
      ...(squash !== undefined && { squash }),
    });
    response.status(201).json(await mergeRequestDetailJson(context, target, made, user));
  });

  routes.get(`${base}/:iid`, async (request, response) => {
    const { project, mergeRequest } = findMergeRequest(context, request);
    const fresh = await freshMergeRequest(context, mergeRequest);
    response.json(await mergeRequestDetailJson(context, project, fresh, callerOf(request)?.user));
  });

  routes.put(`${base}/:iid`, async (request, response) => {
    const { project, mergeRequest, user } = findMergeRequestToChange(context, request);
    if (!canChange(context, project, mergeRequest, user)) throw forbidden();
    const parameters = Parameters.of(request);
    if (!parameters.hasAny(changeable)) {
      throw badParameter(`${changeable.join(", ")} are missing, at least one parameter must be provided`);
    }
    const changed = await changeMergeRequest(context, mergeRequest.id, user, changeIn(parameters));
    response.json(await mergeRequestDetailJson(context, project, changed, user));
  });

  routes.delete(`${base}/:iid`, async (request, response) => {
    const { project, mergeRequest, user } = findMergeRequestToChange(context, request);
    if (projectLevel(store, user, project, clock()) < accessLevels.owner) throw forbidden();
    await deleteMergeRequest(context, mergeRequest);
    response.status(204).end();
  });

  routes.get("/projects/:id/repository/commits/:sha/merge_requests", async (request, response) => {
    const project = findProject(context, request, "code");
    const commit = await context.objects.resolve(
      context.repositories.path(project.id),
      pathParameter(request, "sha"),
    );
    if (!commit) throw notFound("Commit");
    const found = store.mergeRequestsByProject
      .all(String(project.id))
      .filter(
        (each) =>
          [each.mergeCommit, each.squashCommit].includes(commit.id) ||
          store.versionsByMergeRequest.all(String(each.id)).some((version) => version.head === commit.id),
      );
    response.json(await listJson(context, request, paginate(context, request, response, found)));
  });

  function isVisible(request: Request) {
    const user = callerOf(request)?.user;
    const now = clock();
    return ({ projectId }: MergeRequestRecord) => {
      const project = store.projects.get(projectId);
      return project !== undefined && canReadCode(store, user, project, now);
    };
  }

  return routes;
}

function listJson(context: ForgeContext, request: Request, page: readonly MergeRequestRecord[]) {
  const isSimple = Parameters.of(request).choice("view", ["simple"]) === "simple";
  const json = page.map(async (each) => {
    const project = context.store.projects.get(each.projectId);
    if (!project) return [];
    return [
      isSimple
        ? mergeRequestSimpleJson(context, project, each)
        : await mergeRequestJson(context, project, each),
    ];
  });
  return Promise.all(json).then((found) => found.flat());
}

/** The project to merge into: the same one, or the one that this is a fork of. */
function targetOf(context: ForgeContext, request: Request, source: ProjectRecord): ProjectRecord {
  const { store, clock } = context;
  const id = Parameters.of(request).integer("target_project_id") ?? source.id;
  const target = store.projects.get(id);
  const user = callerOf(request)?.user;
  if (!target || !canReadCode(store, user, target, clock())) throw notFound("Project");
  return target;
}

/** Throws `ApiError` 501 for what would be taken no notice of. */
function refuseUnknown(parameters: Parameters): void {
  if (parameters.boolean("allow_collaboration"))
    throw notImplemented("pushing to the branch of somebody else's fork");
  if (parameters.boolean("discussion_locked")) throw notImplemented("locking a discussion");
  if (parameters.integer("milestone_id")) throw notImplemented("milestones");
  if (parameters.filled("merge_after") !== undefined) throw notImplemented("merging after a time");
}

function peopleIn(parameters: Parameters): { assigneeIds?: number[]; reviewerIds?: number[] } {
  const idsOf = (role: string): number[] | undefined => {
    const many = parameters.texts(`${role}_ids`);
    if (many) return many.map(Number).filter((id) => id > 0);
    const one = parameters.integer(`${role}_id`);
    return one === undefined ? undefined : [one].filter((id) => id > 0);
  };
  const assigneeIds = idsOf("assignee");
  const reviewerIds = idsOf("reviewer");
  return { ...(assigneeIds && { assigneeIds }), ...(reviewerIds && { reviewerIds }) };
}

function changeIn(parameters: Parameters): MergeRequestChange {
  refuseUnknown(parameters);
  const title = parameters.text("title");
  const description = parameters.text("description");
  const stateEvent = parameters.choice("state_event", ["close", "reopen"]);
  const targetBranch = parameters.filled("target_branch");
  const labels = parameters.has("labels") ? (parameters.texts("labels") ?? []) : undefined;
  const addLabels = parameters.texts("add_labels");
  const removeLabels = parameters.texts("remove_labels");
  const squash = parameters.boolean("squash");
  const removeSourceBranch = parameters.boolean("remove_source_branch");
  return {
    ...peopleIn(parameters),
    ...(title !== undefined && { title }),
    ...(description !== undefined && { description }),
    ...(stateEvent && { stateEvent }),
    ...(targetBranch !== undefined && { targetBranch }),
    ...(labels && { labels }),
    ...(addLabels && { addLabels }),
    ...(removeLabels && { removeLabels }),
    ...(squash !== undefined && { squash }),
    ...(removeSourceBranch !== undefined && { removeSourceBranch }),
  };
}
