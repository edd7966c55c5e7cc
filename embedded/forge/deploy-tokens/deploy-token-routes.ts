import { type Request, Router } from "express";
import { accessLevels } from "../access/access-level.ts";
import { requireAdmin, requireCaller } from "../access/caller.ts";
import type { ForgeContext } from "../forge-context.ts";
import { findGroup } from "../groups/find-group.ts";
import { badParameter, notFound } from "../http/api-error.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters, pathId } from "../http/parameters.ts";
import { findProject } from "../projects/find-project.ts";
import type { DeployTokenRecord } from "../store/records.ts";
import { createDeployToken, deployTokenExpired, deployTokenScopes } from "./deploy-token.ts";

/** `/{projects|groups}/:id/deploy_tokens`, and `/deploy_tokens` for administrators. */
export function deployTokenRoutes(context: ForgeContext): Router {
  const { store, clock } = context;
  const routes = Router();

  routes.get("/deploy_tokens", (request, response) => {
    requireAdmin(request);
    const found = wanted(context, request, store.deployTokens.all());
    response.json(
      paginate(context, request, response, found).map((token) => deployTokenJson(context, token)),
    );
  });

  for (const [plural, source] of [
    ["projects", "project"],
    ["groups", "group"],
  ] as const) {
    const base = `/${plural}/:id/deploy_tokens`;

    routes.get(base, (request, response) => {
      const sourceId = findSourceId(context, request, source);
      const found = wanted(context, request, store.deployTokensBySource.all(`${source}:${sourceId}`));
      response.json(
        paginate(context, request, response, found).map((token) => deployTokenJson(context, token)),
      );
    });

    routes.post(base, async (request, response) => {
      const parameters = Parameters.of(request);
      const sourceId = findSourceId(context, request, source);
      const name = parameters.requiredFilled("name");
      const username = parameters.filled("username");
      const expiresAt = expiryOf(parameters);
      const scopes = scopesOf(parameters);
      const { record, value } = await createDeployToken(
        store,
        {
          name,
          scopes,
          source,
          sourceId,
          ...(username !== undefined && { username }),
          ...(expiresAt !== undefined && { expiresAt }),
        },
        clock(),
      );
      response.status(201).json({ ...deployTokenJson(context, record), token: value });
    });

    routes.get(`${base}/:token_id`, (request, response) => {
      response.json(deployTokenJson(context, findDeployToken(context, request, source)));
    });

    routes.delete(`${base}/:token_id`, async (request, response) => {
      await store.deployTokens.remove(findDeployToken(context, request, source).id);
      response.status(204).end();
    });
  }

  return routes;
}

function deployTokenJson(context: ForgeContext, token: DeployTokenRecord) {
  return {
    id: token.id,
    name: token.name,
    username: token.username,
    expires_at: token.expiresAt,
    scopes: token.scopes,
    revoked: false,
    expired: deployTokenExpired(token, context.clock()),
  };
}

function findSourceId(context: ForgeContext, request: Request, source: DeployTokenRecord["source"]): number {
  requireCaller(request);
  if (source === "group") return findGroup(context, request, accessLevels.owner).id;
  return findProject(context, request, "maintainer").id;
}

function findDeployToken(
  context: ForgeContext,
  request: Request,
  source: DeployTokenRecord["source"],
): DeployTokenRecord {
  const sourceId = findSourceId(context, request, source);
  const token = context.store.deployTokens.get(pathId(request, "token_id"));
  if (token?.source !== source || token.sourceId !== sourceId) throw notFound("Deploy Token");
  return token;
}

function wanted(
  context: ForgeContext,
  request: Request,
  tokens: readonly DeployTokenRecord[],
): DeployTokenRecord[] {
  const active = Parameters.of(request).boolean("active") ?? false;
  return tokens.filter((token) => !active || !deployTokenExpired(token, context.clock()));
}

function scopesOf(parameters: Parameters): string[] {
  const scopes = parameters.texts("scopes");
  if (!scopes?.length) throw badParameter("scopes is missing");
  const known: readonly string[] = deployTokenScopes;
  if (!scopes.every((scope) => known.includes(scope)))
    throw badParameter("scopes does not have a valid value");
  return [...new Set(scopes)];
}

function expiryOf(parameters: Parameters): string | undefined {
  const text = parameters.filled("expires_at");
  if (text === undefined) return undefined;
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw badParameter("expires_at is invalid");
  return new Date(time).toISOString();
}
