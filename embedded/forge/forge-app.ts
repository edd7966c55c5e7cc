import { randomUUID } from "node:crypto";
import express, { type Express, type NextFunction, type Request, type Response, Router } from "express";
import { authenticate, requireCaller } from "./access/caller.ts";
import type { ForgeContext } from "./forge-context.ts";
import { gitHttp } from "./git-http/git-http-routes.ts";
import { groupRoutes } from "./groups/group-routes.ts";
import { hookRoutes } from "./hooks/hook-routes.ts";
import { answerErrors } from "./http/answer-errors.ts";
import { ApiError } from "./http/api-error.ts";
import { refuseUnimplemented } from "./http/not-implemented.ts";
import { memberRoutes } from "./members/member-routes.ts";
import { metadataRoutes } from "./metadata/metadata-routes.ts";
import { projectRoutes } from "./projects/project-routes.ts";
import { repositoryRoutes } from "./repository/repository-routes.ts";
import { statusRoutes } from "./statuses/status-routes.ts";
import { tokenRoutes } from "./tokens/token-routes.ts";
import { userRoutes } from "./users/user-routes.ts";

const maxBody = "64mb"; // a commit's files travel in one body, a third larger in base64

/**
 * Git over HTTP and REST v4. Express matches routes on the raw address and decodes each segment after that, so an
 * encoded slash (`group%2Fproject`, `feature%2Fx`) stays within its segment.
 */
export function forgeApp(context: ForgeContext): Express {
  const app = express();
  app.disable("x-powered-by");
  app.set("query parser", "extended"); // `a[]=1`, `h[k]=1`
  app.set("case sensitive routing", true);
  app.use((_request, response, next) => {
    response.set("x-request-id", randomUUID());
    next();
  });
  app.use(gitHttp(context));
  app.use("/api/v4", api(context));
  app.use((_request, _response) => {
    throw new ApiError(404, { error: "404 Not Found" });
  });
  app.use(answerErrors(context.logger));
  return app;
}

function api(context: ForgeContext): Router {
  const routes = Router({ caseSensitive: true });
  routes.use(authenticate(context));
  routes.use(refuseStrangersWrites);
  routes.use(express.json({ limit: maxBody, strict: false }));
  routes.use(express.urlencoded({ limit: maxBody, extended: true, parameterLimit: 10_000 }));
  for (const resource of [
    metadataRoutes,
    userRoutes,
    tokenRoutes,
    groupRoutes,
    projectRoutes,
    memberRoutes,
    repositoryRoutes,
    statusRoutes,
    hookRoutes,
  ]) {
    routes.use(resource(context));
  }
  routes.use(refuseUnimplemented);
  return routes;
}

/** No body is read from somebody unknown. */
function refuseStrangersWrites(request: Request, _response: Response, next: NextFunction): void {
  if (request.method !== "GET" && request.method !== "HEAD") requireCaller(request);
  const type = request.get("content-type") ?? "";
  if (type.startsWith("multipart/")) {
    throw new ApiError(415, { error: "The provided content-type 'multipart/form-data' is not supported." });
  }
  next();
}
