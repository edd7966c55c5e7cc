import { type Request, Router } from "express";
import { requireCaller } from "../access/caller.ts";
import type { ForgeContext } from "../forge-context.ts";
import { ApiError, badParameter, notFound } from "../http/api-error.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters, pathId } from "../http/parameters.ts";
import { findProject } from "../projects/find-project.ts";
import type { HookRecord, ProjectRecord } from "../store/records.ts";
import { eventFlags } from "./hook-event-names.ts";
import { changedHookFields, newHookFields } from "./hook-fields.ts";
import { hookJson } from "./hook-json.ts";
import { testPayload } from "./test-payload.ts";

/** `/projects/:id/hooks`, for Maintainers. */
export function hookRoutes(context: ForgeContext): Router {
  const { store, clock, hookSender } = context;
  const routes = Router();

  routes.get("/projects/:id/hooks", (request, response) => {
    const project = findProject(context, request, "maintainer");
    const page = paginate(context, request, response, store.hooksByProject.all(String(project.id)));
    response.json(page.map(hookJson));
  });

  routes.post("/projects/:id/hooks", async (request, response) => {
    const project = findProject(context, request, "maintainer");
    const fields = newHookFields(Parameters.of(request), ["push_events"]);
    const hook = await store.hooks.insert((id) => ({
      ...fields,
      id,
      projectId: project.id,
      createdAt: clock().toISOString(),
    }));
    response.status(201).json(hookJson(hook));
  });

  routes.get("/projects/:id/hooks/:hook_id", (request, response) => {
    response.json(hookJson(findHook(context, request).hook));
  });

  routes.put("/projects/:id/hooks/:hook_id", async (request, response) => {
    const { hook } = findHook(context, request);
    const fields = changedHookFields(Parameters.of(request), hook);
    response.json(hookJson(await store.hooks.update(hook.id, fields)));
  });

  routes.delete("/projects/:id/hooks/:hook_id", async (request, response) => {
    const { hook } = findHook(context, request);
    await store.hooks.remove(hook.id);
    await hookSender.events.forget(hook.id);
    response.status(204).end();
  });

  routes.post("/projects/:id/hooks/:hook_id/test/:trigger", async (request, response) => {
    const { hook, project } = findHook(context, request);
    const trigger = String(request.params["trigger"]);
    if (!eventFlags.includes(trigger)) throw badParameter("trigger does not have a valid value");
    const { user } = requireCaller(request);
    const event = await hookSender.deliver(hook, trigger, await testPayload(context, project, user, trigger));
    if (!/^[23]/.test(event.response_status)) {
      throw new ApiError(422, {
        message: `Hook execution failed: ${event.response_status}: ${event.response_body}`,
      });
    }
    response.status(201).json({ message: "201 Created" });
  });

  routes.get("/projects/:id/hooks/:hook_id/events", async (request, response) => {
    const { hook } = findHook(context, request);
    const status = Parameters.of(request).filled("status");
    const events = (await hookSender.events.list(hook.id)).filter((each) =>
      hasStatus(each.response_status, status),
    );
    const page = paginate(context, request, response, events);
    response.json(page.map(({ delivery_id: _delivery, flag: _flag, ...shown }) => shown));
  });

  routes.post("/projects/:id/hooks/:hook_id/events/:event_id/resend", async (request, response) => {
    const { hook } = findHook(context, request);
    const event = await hookSender.events.get(hook.id, pathId(request, "event_id"));
    if (!event) throw notFound();
    const sent = await hookSender.deliver(hook, event.flag, event.request_data, event.delivery_id);
    const status = Number(sent.response_status);
    response.status(201).json({ response_status: Number.isNaN(status) ? sent.response_status : status });
  });

  return routes;
}

function findHook(context: ForgeContext, request: Request): { hook: HookRecord; project: ProjectRecord } {
  const project = findProject(context, request, "maintainer");
  const hook = context.store.hooks.get(pathId(request, "hook_id"));
  if (hook?.projectId !== project.id) throw notFound();
  return { hook, project };
}

function hasStatus(status: string, wanted: string | undefined): boolean {
  switch (wanted) {
    case undefined:
      return true;
    case "successful":
      return /^[23]/.test(status);
    case "client_failure":
      return status.startsWith("4");
    case "server_failure":
      return status.startsWith("5") || status === "internal error";
    default:
      return status === wanted;
  }
}
