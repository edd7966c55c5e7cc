import { type Request, Router } from "express";
import { requireAdmin, requireCaller } from "../access/caller.ts";
import type { ForgeContext } from "../forge-context.ts";
import { badParameter, badRequest, forbidden, notFound, unauthorized } from "../http/api-error.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters, pathId } from "../http/parameters.ts";
import type { TokenRecord } from "../store/records.ts";
import { findUser } from "../users/user-routes.ts";
import { createToken, hasExpired, tokenScopes } from "./access-token.ts";
import { tokenJson } from "./token-json.ts";

/** `/personal_access_tokens`, and `/users/:id/personal_access_tokens` for administrators. */
export function tokenRoutes(context: ForgeContext): Router {
  const { store, clock } = context;
  const routes = Router();

  routes.get("/personal_access_tokens", (request, response) => {
    const { user } = requireCaller(request);
    const parameters = Parameters.of(request);
    const userId = parameters.integer("user_id") ?? (user.isAdmin ? undefined : user.id);
    if (userId !== user.id && !user.isAdmin) throw unauthorized();
    const state = parameters.choice("state", ["active", "inactive"]);
    const revoked = parameters.boolean("revoked");
    const found = store.tokens.all().filter((token) => {
      const active = !token.revoked && !hasExpired(token, clock());
      return (
        (userId === undefined || token.userId === userId) &&
        (state === undefined || (state === "active") === active) &&
        (revoked === undefined || token.revoked === revoked)
      );
    });
    const page = paginate(context, request, response, found);
    response.json(page.map((token) => tokenJson(token, clock())));
  });

  routes.get("/personal_access_tokens/:id", (request, response) => {
    response.json(tokenJson(findToken(context, request), clock()));
  });

  routes.delete("/personal_access_tokens/:id", async (request, response) => {
    await store.tokens.update(findToken(context, request).id, { revoked: true });
    response.status(204).end();
  });

  routes.post("/personal_access_tokens/:id/rotate", async (request, response) => {
    const old = findToken(context, request);
    const expiresOn = Parameters.of(request).day("expires_at");
    const { id: _old, ...kept } = old;
    const { record, value } = await createToken(
      store,
      {
        userId: kept.userId,
        name: kept.name,
        scopes: kept.scopes,
        ...(kept.description !== null && { description: kept.description }),
        ...(expiresOn !== undefined && { expiresOn }),
      },
      { now: clock() },
    );
    await store.tokens.update(old.id, { revoked: true });
    response.json({ ...tokenJson(record, clock()), token: value });
  });

  routes.post("/users/:id/personal_access_tokens", async (request, response) => {
    requireAdmin(request);
    const user = findUser(context, request);
    const parameters = Parameters.of(request);
    const name = parameters.requiredFilled("name");
    const scopes = parameters.texts("scopes");
    if (!scopes?.length) throw badParameter("scopes is missing");
    const known: readonly string[] = tokenScopes;
    if (!scopes.every((scope) => known.includes(scope)))
      throw badParameter("scopes does not have a valid value");
    const description = parameters.text("description");
    const expiresOn = parameters.day("expires_at");
    const { record, value } = await createToken(
      store,
      {
        userId: user.id,
        name,
        scopes,
        ...(description !== undefined && { description }),
        ...(expiresOn !== undefined && { expiresOn }),
      },
      { now: clock() },
    );
    response.status(201).json({ ...tokenJson(record, clock()), token: value });
  });

  return routes;
}

/** A token by id, or the one the request came with for `self`; others' tokens are for administrators. */
function findToken(context: ForgeContext, request: Request): TokenRecord {
  const caller = requireCaller(request);
  if (request.params["id"] === "self") {
    if (caller.token) return caller.token;
    throw badRequest("400 Bad request - This endpoint requires token type to be a personal access token");
  }
  const token = context.store.tokens.get(pathId(request, "id"));
  const mine = token?.userId === caller.user.id;
  if (!caller.user.isAdmin && !mine) throw token ? unauthorized() : forbidden();
  if (!token) throw notFound();
  return token;
}
