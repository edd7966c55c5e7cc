import { type Request, Router } from "express";
import { accessLevels } from "../access/access-level.ts";
import { projectLevel } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { badParameter, badRequest, notFound } from "../http/api-error.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters, pathId } from "../http/parameters.ts";
import { findProject, findProjectToChange } from "../projects/find-project.ts";
import type { TokenRecord } from "../store/records.ts";
import { createToken, hasExpired, tokenScopes } from "../tokens/access-token.ts";
import { tokenJson } from "../tokens/token-json.ts";
import { createProjectToken, projectTokens, revokeProjectToken } from "./project-token.ts";

const levels: readonly number[] = [10, 15, 20, 30, 40, 50];
const scopes = tokenScopes.filter((scope) => !["read_user", "sudo", "admin_mode"].includes(scope));

/** `/projects/:id/access_tokens`, for Maintainers. */
export function projectTokenRoutes(context: ForgeContext): Router {
  const { store, clock } = context;
  const routes = Router();
  const base = "/projects/:id/access_tokens";

  routes.get(base, (request, response) => {
    const project = findProject(context, request, "maintainer");
    const state = Parameters.of(request).choice("state", ["active", "inactive"]);
    const found = projectTokens(context, project.id).filter(
      (token) => state === undefined || (state === "active") === isActive(context, token),
    );
    const page = paginate(context, request, response, found);
    response.json(page.map((token) => projectTokenJson(context, token, project.id)));
  });

  routes.post(base, async (request, response) => {
    const { project, user } = findProjectToChange(context, request, "maintainer");
    if (user.botOfProject !== undefined) {
      throw badRequest("400 Bad request - User does not have permission to create project access token");
    }
    const parameters = Parameters.of(request);
    const name = parameters.requiredFilled("name");
    const description = parameters.text("description");
    const expiresOn = parameters.day("expires_at");
    const wanted = scopesOf(parameters);
    const accessLevel = parameters.integer("access_level") ?? accessLevels.maintainer;
    if (!levels.includes(accessLevel)) throw badParameter("access_level does not have a valid value");
    if (accessLevel > projectLevel(store, user, project, clock())) {
      throw badRequest(
        "400 Bad request - Access level of the token can't be greater the access level of the user who created the token",
      );
    }
    const { record, value } = await createProjectToken(context, project, {
      name,
      scopes: wanted,
      accessLevel,
      creatorId: user.id,
      ...(description !== undefined && { description }),
      ...(expiresOn !== undefined && { expiresOn }),
    });
    response.status(201).json({ ...projectTokenJson(context, record, project.id), token: value });
  });

  routes.get(`${base}/:token_id`, (request, response) => {
    const { token, projectId } = findProjectToken(context, request);
    response.json(projectTokenJson(context, token, projectId));
  });

  routes.delete(`${base}/:token_id`, async (request, response) => {
    await revokeProjectToken(context, findProjectToken(context, request).token);
    response.status(204).end();
  });

  routes.post(`${base}/:token_id/rotate`, async (request, response) => {
    const { token, projectId } = findProjectToken(context, request);
    if (!isActive(context, token)) throw badRequest("400 Bad request - Token already revoked");
    const expiresOn = Parameters.of(request).day("expires_at");
    const { userId, name, description } = token;
    const kept = { userId, name, scopes: token.scopes, ...(description !== null && { description }) };
    const { record, value } = await createToken(
      store,
      { ...kept, ...(expiresOn !== undefined && { expiresOn }) },
      { now: clock() },
    );
    await store.tokens.update(token.id, { revoked: true });
    const member = store.membersByUser.all(String(userId)).find((each) => each.sourceId === projectId);
    if (member) await store.members.update(member.id, { expiresOn: expiresOn ?? null });
    response.json({ ...projectTokenJson(context, record, projectId), token: value });
  });

  return routes;
}

function projectTokenJson(context: ForgeContext, token: TokenRecord, projectId: number) {
  const members = context.store.membersByUser.all(String(token.userId));
  const member = members.find((each) => each.source === "project" && each.sourceId === projectId);
  return {
    ...tokenJson(token, context.clock()),
    access_level: member?.accessLevel ?? null,
    resource_type: "project",
    resource_id: projectId,
  };
}

function findProjectToken(
  context: ForgeContext,
  request: Request,
): { token: TokenRecord; projectId: number } {
  const project = findProject(context, request, "maintainer");
  const id = pathId(request, "token_id");
  const token = projectTokens(context, project.id).find((each) => each.id === id);
  if (!token) throw notFound("Project Access Token");
  return { token, projectId: project.id };
}

function isActive(context: ForgeContext, token: TokenRecord): boolean {
  return !token.revoked && !hasExpired(token, context.clock());
}

function scopesOf(parameters: Parameters): string[] {
  const wanted = parameters.texts("scopes");
  if (!wanted?.length) throw badParameter("scopes is missing");
  const known: readonly string[] = scopes;
  if (!wanted.every((scope) => known.includes(scope)))
    throw badParameter("scopes does not have a valid value");
  return [...new Set(wanted)];
}
