import { type Request, Router } from "express";
import { requireAdmin, requireCaller } from "../access/caller.ts";
import type { ForgeContext } from "../forge-context.ts";
import { ApiError, badRequest, notFound } from "../http/api-error.ts";
import { asksForKeyset, type KeysetOrder, keysetPage } from "../http/keyset.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters, pathId } from "../http/parameters.ts";
import type { UserRecord } from "../store/records.ts";
import { createUser } from "./create-user.ts";
import { deleteUser } from "./delete-user.ts";
import { hashPassword } from "./password.ts";
import { renameUser } from "./rename-user.ts";
import { userBasicJson, userPrivateJson, userPublicJson } from "./user-json.ts";

const byId: KeysetOrder<UserRecord> = {
  orders: ["id"],
  order: "id",
  direction: "desc",
  keyOf: (user) => [user.id],
  marker: "cursor",
};

/** `/user` and `/users`. */
export function userRoutes(context: ForgeContext): Router {
  const { store } = context;
  const routes = Router();

  routes.get("/user", (request, response) => {
    const { user } = requireCaller(request);
    response.json(userPrivateJson(context, user, user.isAdmin));
  });

  routes.get("/users", (request, response) => {
    const caller = requireCaller(request);
    const found = matching(store.users.all(), Parameters.of(request));
    const page = asksForKeyset(request)
      ? keysetPage(context, request, response, found, byId)
      : paginate(context, request, response, found.reverse());
    response.json(
      page.map((user) =>
        caller.user.isAdmin ? userPrivateJson(context, user, true) : userBasicJson(context, user),
      ),
    );
  });

  routes.post("/users", async (request, response) => {
    requireAdmin(request);
    const parameters = Parameters.of(request);
    const password = parameters.filled("password");
    const random = ["reset_password", "force_random_password"].some((name) => parameters.boolean(name));
    if (password === undefined && !random) {
      throw badParameterSet("password, reset_password, force_random_password");
    }
    const user = await createUser(context, {
      username: parameters.requiredFilled("username"),
      name: parameters.requiredFilled("name"),
      email: parameters.requiredFilled("email"),
      admin: parameters.boolean("admin") ?? false,
      ...(password !== undefined && { password }),
    });
    response.status(201).json(userPrivateJson(context, user, true));
  });

  routes.get("/users/:id", (request, response) => {
    const caller = requireCaller(request);
    const user = findUser(context, request);
    response.json(caller.user.isAdmin ? userPrivateJson(context, user, true) : userPublicJson(context, user));
  });

  routes.put("/users/:id", async (request, response) => {
    requireAdmin(request);
    const parameters = Parameters.of(request);
    const name = parameters.filled("name");
    const email = parameters.filled("email");
    const password = parameters.filled("password");
    const isAdmin = parameters.boolean("admin");
    const username = parameters.filled("username");
    const hash = password === undefined ? undefined : await hashPassword(password);
    const user = findUser(context, request);
    if (username !== undefined && username !== user.username) await renameUser(context, user, username);
    const changed = await store.users.update(user.id, {
      ...(name !== undefined && { name }),
      ...(email !== undefined && { email }),
      ...(hash !== undefined && { password: hash }),
      ...(isAdmin !== undefined && { isAdmin }),
    });
    if (hash !== undefined) await context.artifacts.removeOfUser(user.id); // whoever knew the old one is signed out
    response.json(userPrivateJson(context, changed, true));
  });

  routes.delete("/users/:id", async (request, response) => {
    const caller = requireAdmin(request);
    const user = findUser(context, request);
    if (user.id === caller.user.id) throw badRequest("You cannot delete yourself");
    await deleteUser(context, user);
    response.status(204).end();
  });

  for (const [action, state] of [
    ["block", "blocked"],
    ["unblock", "active"],
  ] as const) {
    routes.post(`/users/:id/${action}`, async (request, response) => {
      const caller = requireAdmin(request);
      const user = findUser(context, request);
      if (user.id === caller.user.id)
        throw new ApiError(403, { message: "403 Forbidden - You cannot block yourself" });
      await store.users.update(user.id, { state });
      if (state === "blocked") await context.artifacts.removeOfUser(user.id);
      response.status(201).json(true);
    });
  }

  return routes;
}

export function findUser(context: ForgeContext, request: Request): UserRecord {
  const user = context.store.users.get(pathId(request, "id"));
  if (!user) throw notFound("User");
  return user;
}

function matching(users: UserRecord[], parameters: Parameters): UserRecord[] {
  const username = parameters.filled("username")?.toLowerCase();
  const search = parameters.filled("search")?.toLowerCase();
  const withoutBots = parameters.boolean("without_project_bots") ?? false;
  const active = parameters.boolean("active");
  const blocked = parameters.boolean("blocked");
  return users.filter(
    (user) =>
      (username === undefined || user.username.toLowerCase() === username) &&
      (search === undefined ||
        [user.username, user.name].some((text) => text.toLowerCase().includes(search)) ||
        user.email.toLowerCase() === search) &&
      (!withoutBots || user.botOfProject === undefined) &&
      (active !== true || user.state === "active") &&
      (blocked !== true || user.state === "blocked"),
  );
}

function badParameterSet(names: string): ApiError {
  return new ApiError(400, { error: `${names} are missing, at least one parameter must be provided` });
}
