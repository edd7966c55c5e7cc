import { type Request, Router } from "express";
import { requireAdmin } from "../access/caller.ts";
import type { ForgeContext } from "../forge-context.ts";
import { badParameter, notFound } from "../http/api-error.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters, pathId } from "../http/parameters.ts";
import type { ApplicationRecord } from "../store/records.ts";
import { createApplication, renewSecret } from "./application.ts";

/** `/applications`, for administrators: programs that let people sign in with the forge. */
export function applicationRoutes(context: ForgeContext): Router {
  const { store, clock, artifacts } = context;
  const routes = Router();

  routes.get("/applications", (request, response) => {
    requireAdmin(request);
    const page = paginate(context, request, response, store.applications.all());
    response.json(page.map(applicationJson));
  });

  routes.post("/applications", async (request, response) => {
    requireAdmin(request);
    const parameters = Parameters.of(request);
    const scopes = words(parameters.requiredFilled("scopes"));
    if (scopes.length === 0) throw badParameter("scopes is empty");
    const { application, secret } = await createApplication(
      store,
      {
        name: parameters.requiredFilled("name"),
        redirectUris: words(parameters.requiredFilled("redirect_uri")),
        scopes,
        confidential: parameters.boolean("confidential") ?? true,
        trusted: parameters.boolean("trusted") ?? false,
      },
      clock(),
    );
    response.status(201).json({ ...applicationJson(application), secret });
  });

  routes.delete("/applications/:id", async (request, response) => {
    requireAdmin(request);
    const application = findApplication(context, request);
    await store.applications.remove(application.id);
    await artifacts.removeOfClient(application.clientId);
    response.status(204).end();
  });

  routes.post("/applications/:id/renew-secret", async (request, response) => {
    requireAdmin(request);
    const application = findApplication(context, request);
    const secret = await renewSecret(store, application);
    response.status(201).json({ ...applicationJson(application), secret });
  });

  return routes;
}

function findApplication(context: ForgeContext, request: Request): ApplicationRecord {
  const application = context.store.applications.get(pathId(request, "id"));
  if (!application) throw notFound("Application");
  return application;
}

function applicationJson(application: ApplicationRecord) {
  return {
    id: application.id,
    application_id: application.clientId,
    application_name: application.name,
    callback_url: application.redirectUris.join("\n"),
    confidential: application.confidential,
    scopes: application.scopes,
  };
}

/** GitLab takes lists with blanks or line ends between them. */
function words(text: string): string[] {
  return [...new Set(text.split(/[\s,]+/).filter(Boolean))];
}
