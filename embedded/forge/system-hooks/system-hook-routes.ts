import { type Request, Router } from "express";
import { requireAdmin } from "../access/caller.ts";
import type { ForgeContext } from "../forge-context.ts";
import { hasHookFields, hookFields } from "../hooks/hook-fields.ts";
import { badParameter, notFound } from "../http/api-error.ts";
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
    const parameters = Parameters.of(request);
    parameters.required("url");
    const fields = hookFields(parameters, ["repository_update_events"], systemHookFlags);
    const hook = await store.systemHooks.insert((id) => ({
      url: "",
      name: null,
      description: null,
      token: null,
      signingToken: null,
      verifyTls: true,
      events: [],
      branchFilter: null,
      branchFilterStrategy: "wildcard",
      customHeaders: [],
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
    const parameters = Parameters.of(request);
    if (!hasHookFields(parameters, systemHookFlags)) throw badParameter("No parameters provided");
    const fields = hookFields(parameters, hook.events, systemHookFlags);
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

/** Secrets are never told, only that they are there. */
function systemHookJson(hook: HookTarget) {
  return {
    id: hook.id,
    url: hook.url,
    name: hook.name,
    description: hook.description,
    created_at: hook.createdAt,
    ...Object.fromEntries(systemHookFlags.map((flag) => [flag, hook.events.includes(flag)])),
    push_events_branch_filter: hook.branchFilter ?? "",
    branch_filter_strategy: hook.branchFilterStrategy,
    enable_ssl_verification: hook.verifyTls,
    alert_status: "executable",
    disabled_until: null,
    url_variables: [],
    custom_headers: hook.customHeaders.map(({ key }) => ({ key })),
    custom_webhook_template: null,
    token_present: hook.token !== null,
    signing_token_present: hook.signingToken !== null,
  };
}
