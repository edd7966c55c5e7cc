import { type Request, Router } from "express";
import { requireAdmin } from "../access/caller.ts";
import type { ForgeContext } from "../forge-context.ts";
import { changedHookFields, newHookFields } from "../hooks/hook-fields.ts";
import { hookTargetJson } from "../hooks/hook-json.ts";
import { notFound } from "../http/api-error.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters, pathId } from "../http/parameters.ts";
import type { HookTarget } from "../store/records.ts";
import { systemHookFlag, systemHookFlags } from "./announce.ts";

/** `/hooks`, for administrators: told of everything that comes, goes and changes in the whole forge. */
export function systemHookRoutes(context: ForgeContext): Router {
  const { store, clock, systemHookSender } = context;
  const routes = Router();

  routes.get("/hooks", (request, response) => {
    requireAdmin(request);
    response.json(paginate(context, request, response, store.systemHooks.all()).map(systemHookJson));
  });

  routes.post("/hooks", async (request, response) => {
    requireAdmin(request);
    const fields = newHookFields(Parameters.of(request), ["repository_update_events"], systemHookFlags);
    const hook = await store.systemHooks.insert((id) => ({
      ...fields,
      id,
      createdAt: clock().toISOString(),
    }));
    response.status(201).json(systemHookJson(hook));
  });

  routes.get("/hooks/:hook_id", (request, response) => {
    response.json(systemHookJson(findSystemHook(context, request)));
  });

  routes.put("/hooks/:hook_id", async (request, response) => {
    const hook = findSystemHook(context, request);
    const fields = changedHookFields(Parameters.of(request), hook, systemHookFlags);
    response.json(systemHookJson(await store.systemHooks.update(hook.id, fields)));
  });

  routes.delete("/hooks/:hook_id", async (request, response) => {
    const hook = findSystemHook(context, request);
    await store.systemHooks.remove(hook.id);
    await systemHookSender.events.forget(hook.id);
    response.status(204).end();
  });

  // A made-up event, as GitLab sends it.
  routes.post("/hooks/:hook_id", async (request, response) => {
    const hook = findSystemHook(context, request);
    const payload = {
      event_name: "project_create",
      name: "Ruby",
      path: "ruby",
      project_id: 1,
      owner_name: "Someone",
      owner_email: "example@gitlabhq.com",
    };
    await systemHookSender.deliver(hook, systemHookFlag, payload);
    response.status(201).json(payload);
  });

  return routes;
}

function findSystemHook(context: ForgeContext, request: Request): HookTarget {
  requireAdmin(request);
  const hook = context.store.systemHooks.get(pathId(request, "hook_id"));
  if (!hook) throw notFound("System Hook");
  return hook;
}

function systemHookJson(hook: HookTarget) {
  return hookTargetJson(hook, systemHookFlags);
}
