import { type Request, Router } from "express";
import { accessLevels, memberLevels } from "../access/access-level.ts";
import { requireCaller } from "../access/caller.ts";
import { groupLevel, projectLevel } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { findGroup } from "../groups/find-group.ts";
import { ApiError, badParameter, badRequest, forbidden, notFound } from "../http/api-error.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters, pathId } from "../http/parameters.ts";
import { findProject } from "../projects/find-project.ts";
import type { MemberRecord, UserRecord } from "../store/records.ts";
import { announceMember } from "../system-hooks/announce-member.ts";
import { allMembers, directMembers, type MemberSource } from "./all-members.ts";
import { memberJson } from "./member-json.ts";

/** `/{projects|groups}/:id/members[/all][/:user_id]`. */
export function memberRoutes(context: ForgeContext): Router {
  const { store, clock } = context;
  const routes = Router();

  for (const plural of ["projects", "groups"] as const) {
    const base = `/${plural}/:id/members`;
    for (const [path, members] of [
      [`${base}/all`, allMembers], // first, or `all` would be taken for a user
      [base, directMembers],
    ] as const) {
      routes.get(path, (request, response) => {
        const source = findSource(context, request, plural, "read");
        const parameters = Parameters.of(request);
        const query = parameters.filled("query")?.toLowerCase();
        const ids = parameters.texts("user_ids")?.map(Number);
        const found = members(store, source, clock()).filter((member) => {
          const user = store.users.get(member.userId);
          const matches =
            !query || [user?.name, user?.username].some((text) => text?.toLowerCase().includes(query));
          return user && matches && (!ids || ids.includes(user.id));
        });
        const page = paginate(context, request, response, found);
        response.json(page.flatMap((member) => memberJson(context, member) ?? []));
      });

      routes.get(`${path}/:user_id`, (request, response) => {
        const source = findSource(context, request, plural, "read");
        const userId = pathId(request, "user_id");
        const member = members(store, source, clock()).find((each) => each.userId === userId);
        const json = member && memberJson(context, member);
        if (!json) throw notFound();
        response.json(json);
      });
    }

    routes.post(base, async (request, response) => {
      const parameters = Parameters.of(request);
      const source = findSource(context, request, plural, "change");
      const { user: caller } = requireCaller(request);
      const user = wantedUser(context, parameters);
      const accessLevel = wantedLevel(context, parameters, source, caller);
      const expiresOn = parameters.day("expires_at") ?? null;
      if (directMembers(store, source, clock()).some((each) => each.userId === user.id)) {
        throw new ApiError(409, { message: "Member already exists" });
      }
      await removeExpired(context, source, user.id);
      const member = await store.members.insert((id) => ({
        id,
        source: source.kind,
        sourceId: source.id,
        userId: user.id,
        accessLevel,
        createdAt: clock().toISOString(),
        createdById: caller.id,
        expiresOn,
      }));
      announceMember(context, "add", member);
      response.status(201).json(memberJson(context, member));
    });

    routes.put(`${base}/:user_id`, async (request, response) => {
      const parameters = Parameters.of(request);
      const source = findSource(context, request, plural, "change");
      const accessLevel = wantedLevel(context, parameters, source, requireCaller(request).user);
      const member = memberToChange(context, request, source);
      const change: Partial<MemberRecord> = { accessLevel };
      if (parameters.has("expires_at")) change.expiresOn = parameters.day("expires_at") ?? null;
      const { id: _id, ...changes } = change;
      const changed = await store.members.update(member.id, changes);
      announceMember(context, "update", changed);
      response.json(memberJson(context, changed));
    });

    routes.delete(`${base}/:user_id`, async (request, response) => {
      const { user } = requireCaller(request);
      const leaves = pathId(request, "user_id") === user.id; // everybody may leave
      const source = findSource(context, request, plural, leaves ? "read" : "change");
      const member = memberToChange(context, request, source);
      await store.members.remove(member.id);
      announceMember(context, "remove", member);
      response.status(204).end();
    });
  }

  return routes;
}

function findSource(
  context: ForgeContext,
  request: Request,
  plural: "projects" | "groups",
  purpose: "read" | "change",
): MemberSource {
  requireCaller(request);
  if (plural === "groups") {
    const group = findGroup(context, request, purpose === "change" ? accessLevels.owner : 0);
    return { kind: "group", id: group.id, namespaceId: group.id };
  }
  const project = findProject(context, request, purpose === "change" ? "maintainer" : "see");
  return { kind: "project", id: project.id, namespaceId: project.namespaceId };
}

function wantedUser(context: ForgeContext, parameters: Parameters): UserRecord {
  const { users, usersByName } = context.store;
  const id = parameters.integer("user_id");
  const username = parameters.filled("username");
  if (id === undefined && username === undefined) {
    throw badParameter("user_id, username are missing, at least one parameter must be provided");
  }
  const user = id !== undefined ? users.get(id) : usersByName.first(username?.toLowerCase() ?? "");
  if (!user) throw notFound("User");
  return user;
}

/** Nobody gives more than they have. */
function wantedLevel(
  context: ForgeContext,
  parameters: Parameters,
  source: MemberSource,
  caller: UserRecord,
): number {
  parameters.required("access_level");
  const level = parameters.integer("access_level");
  if (level === undefined || !memberLevels.includes(level)) {
    throw badRequest({ access_level: ["is not included in the list"] });
  }
  if (level > levelOn(context, source, caller)) throw forbidden();
  return level;
}

function memberToChange(context: ForgeContext, request: Request, source: MemberSource): MemberRecord {
  const { store, clock } = context;
  const userId = pathId(request, "user_id");
  const member = directMembers(store, source, clock()).find((each) => each.userId === userId && each.id > 0);
  if (!member) throw notFound();
  checkReach(context, request, source, member);
  const owners = directMembers(store, source, clock()).filter(
    (each) => each.accessLevel === accessLevels.owner,
  );
  const isLast = source.kind === "group" && owners.length === 1 && owners[0]?.id === member.id;
  const removes =
    request.method === "DELETE" || Parameters.of(request).integer("access_level") !== accessLevels.owner;
  if (isLast && removes) throw forbidden("The last owner of a group must stay");
  return member;
}

/** Nobody changes or removes a member above themselves, though everybody may leave. */
function checkReach(
  context: ForgeContext,
  request: Request,
  source: MemberSource,
  member: MemberRecord,
): void {
  const { user } = requireCaller(request);
  if (member.userId === user.id && request.method === "DELETE") return;
  if (member.accessLevel > levelOn(context, source, user)) throw forbidden();
}

function levelOn(context: ForgeContext, source: MemberSource, user: UserRecord): number {
  const { store, clock } = context;
  const project = source.kind === "project" ? store.projects.get(source.id) : undefined;
  return project
    ? projectLevel(store, user, project, clock())
    : groupLevel(store, user, source.namespaceId, clock());
}

async function removeExpired(context: ForgeContext, source: MemberSource, userId: number): Promise<void> {
  const old = context.store.membersBySource.all(`${source.kind}:${source.id}`);
  for (const member of old.filter((each) => each.userId === userId))
    await context.store.members.remove(member.id);
}
