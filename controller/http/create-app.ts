import express, { type Express, type RequestHandler, Router } from "express";
import helmet from "helmet";
import { ActionNeededError, messageOf } from "#core/errors";
import { renderTwinJobs } from "#templates/render-twin-jobs";
import { Callers } from "../auth/caller.ts";
import { limitBadTokens } from "../auth/limit-bad-tokens.ts";
import { Memberships } from "../auth/memberships.ts";
import { requires } from "../auth/requires.ts";
import { Rights } from "../auth/rights.ts";
import { TraceReader } from "../pipelines/follow-trace.ts";
import type { OnUnreadable } from "../reading/json-file-cache.ts";
import { type RunArchive, runArchive } from "../reading/run-archive.ts";
import { type StoredDocuments, storedDocuments } from "../reading/stored-documents.ts";
import { type ApiRoute, expressPath } from "./api-route.ts";
import type { AppDeps } from "./app-deps.ts";
import { deliveryRoutes } from "./delivery-routes.ts";
import { errorMiddleware } from "./error-middleware.ts";
import { eventRoute } from "./event-route.ts";
import { Streams } from "./event-stream.ts";
import { gitProxyRoute } from "./git-proxy-route.ts";
import { libraryRoutes } from "./library-routes.ts";
import { logRoute } from "./log-route.ts";
import { openApiDocument } from "./openapi.ts";
import { pipelineRoutes } from "./pipeline-routes.ts";
import { platformRoutes } from "./platform-routes.ts";
import { previewRoutes } from "./preview-routes.ts";
import { addProbeRoutes } from "./probe-routes.ts";
import { remoteRoutes } from "./remote-routes.ts";
import { requestLog, requestMetrics } from "./request-log.ts";
import { runRoutes } from "./run-routes.ts";
import { secretRoutes } from "./secret-routes.ts";
import { twinRoutes } from "./twin-routes.ts";
import { workspaceRoutes } from "./workspace-routes.ts";

export const apiBase = "/api/v1";
const maxBodyBytes = 64 * 1024; // the longest hold the parameters of a run, 32 KiB

/** The controller's HTTP side, ready to listen. Starts nothing and keeps no state that is not on disk. */
export function createApp(deps: AppDeps): Express {
  const app = express();
  const onUnreadable: OnUnreadable = (path, error) => {
    deps.logger.error({ path, err: messageOf(error) }, "a document cannot be read; it is left out");
  };
  const documents = storedDocuments(deps.data, onUnreadable);
  const runs = runArchive(deps.data, onUnreadable);
  const callers = new Callers(deps.forge, deps.ciTokens);
  const memberships = new Memberships(deps.forge, deps.logger);
  const rights = new Rights(memberships, deps.group, deps.readsShared);
  app.disable("x-powered-by");
  app.set("query parser", "simple"); // no nested objects out of a query
  app.use(requestLog(deps.logger), requestMetrics(deps.metrics));
  if (deps.webhooks) app.use(deps.webhooks);
  app.use(helmet());
  const { workspaces, forge, logger } = deps;
  app.use(gitProxyRoute({ workspaces, forge, memberships, logger }));
  addProbeRoutes(app, { ...deps, documents });
  if (deps.signIn) app.use(deps.signIn.handler);

  const api = Router();
  const description = JSON.stringify(openApiDocument(deps.version));
  api.get("/openapi.json", (_request, response) => {
    response.type("application/json").send(description);
  });
  const twinJobs = renderTwinJobs();
  api.get("/ci/twins.yml", async (_request, response) => {
    response.type("application/yaml").send(await twinJobs); // a Git host includes it, and shows no token
  });
  api.use(limitBadTokens(callers));
  for (const route of apiRoutes(deps, { documents, runs, memberships, rights })) {
    api[route.method](
      expressPath(route.path),
      (_request, response, next) => {
        response.locals["route"] = `${apiBase}${route.path}`;
        next();
      },
      requires({ callers, rights, signIn: deps.signIn }, route.action, route.resource),
      route.body === "own" ? asItIs : express.json({ limit: route.body ?? maxBodyBytes }),
      route.handle,
    );
  }
  app.use(apiBase, api);
  app.use((request) => {
    throw new ActionNeededError("NOT_FOUND", `there is nothing at ${request.method} ${request.path}`, {
      hint: `what there is: ${apiBase}/openapi.json`,
    });
  });
  app.use(errorMiddleware(deps.logger));
  return app;
}

const asItIs: RequestHandler = (_request, _response, next) => next();

/** All routes below `/api/v1`, each with the right it asks for. */
export function apiRoutes(
  deps: AppDeps,
  shared: { documents: StoredDocuments; runs: RunArchive; memberships: Memberships; rights: Rights },
): ApiRoute[] {
  const { data, forge, requests } = deps;
  const { documents, runs, memberships, rights } = shared;
  const streams = new Streams(deps.stopping, deps.metrics.openStreams);
  const state = { documents, forge, readHeadFile: deps.readHeadFile };
  return [
    ...platformRoutes({ ...deps, documents, rights, startedAt: new Date() }),
    ...twinRoutes({ documents, runs, rights, memberships, state, rollback: deps.rollback }),
    ...runRoutes({ ...deps, runs, requests, memberships, rights }),
    logRoute({ data, runs, streams }),
    eventRoute({ data, documents, rights, streams, previews: deps.previews }),
    ...previewRoutes({ data, previews: deps.previews, streams }),
    ...libraryRoutes({ library: deps.library, rights, stopping: deps.stopping }),
    ...remoteRoutes({ remotes: deps.remotes }),
    ...secretRoutes({ secrets: deps.secrets, rights, memberships }),
    ...workspaceRoutes({ data, workspaces: deps.workspaces, rights, streams }),
    ...pipelineRoutes({
      pipelines: forge.pipelines,
      watch: deps.pipelineWatch,
      traces: new TraceReader(forge.pipelines),
      ...{ memberships, rights, streams },
    }),
    ...deliveryRoutes({ deliveries: deps.deliveries, documents, runs, rights }),
  ];
}
