import { randomUUID } from "node:crypto";
import express, { type Express, type NextFunction, type Request, type Response, Router } from "express";
import { authenticate, requireCaller } from "./access/caller.ts";
import { archiveRoutes } from "./archive/archive-routes.ts";
import { blobRoutes } from "./blobs/blob-routes.ts";
import { compareRoutes } from "./compare/compare-routes.ts";
import { deployTokenRoutes } from "./deploy-tokens/deploy-token-routes.ts";
import { commitCommentRoutes } from "./discussions/commit-comment-routes.ts";
import { noteRoutes } from "./discussions/note-routes.ts";
import { suggestionRoutes } from "./discussions/suggestion-routes.ts";
import { deploymentRoutes } from "./environments/deployment-routes.ts";
import { environmentRoutes } from "./environments/environment-routes.ts";
import type { ForgeContext } from "./forge-context.ts";
import { forkRoutes } from "./forks/fork-routes.ts";
import { gitHttp } from "./git-http/git-http-routes.ts";
import { graphQlRoutes } from "./graphql/graphql-routes.ts";
import { groupRoutes } from "./groups/group-routes.ts";
import { hookRoutes } from "./hooks/hook-routes.ts";
import { answerErrors } from "./http/answer-errors.ts";
import { ApiError } from "./http/api-error.ts";
import { multipart } from "./http/multipart.ts";
import { refuseUnimplemented } from "./http/not-implemented.ts";
import { plainJson } from "./http/plain-json.ts";
import { limitRate } from "./http/rate-limit.ts";
import { artifactRoutes } from "./jobs/artifact-routes.ts";
import { jobRoutes } from "./jobs/job-routes.ts";
import { resourceGroupRoutes } from "./jobs/resource-group-routes.ts";
import { labelRoutes } from "./labels/label-routes.ts";
import { memberRoutes } from "./members/member-routes.ts";
import { mergeRequestCodeRoutes } from "./merge-requests/merge-request-code-routes.ts";
import { mergeRequestMergeRoutes } from "./merge-requests/merge-request-merge-routes.ts";
import { mergeRequestRoutes } from "./merge-requests/merge-request-routes.ts";
import { metadataRoutes } from "./metadata/metadata-routes.ts";
import { applicationRoutes } from "./oidc/application-routes.ts";
import { keyRoutes } from "./oidc/key-routes.ts";
import { pageRoutes } from "./pages/page-routes.ts";
import { lintRoutes } from "./pipelines/lint-routes.ts";
import { pipelineRoutes } from "./pipelines/pipeline-routes.ts";
import { scheduleRoutes } from "./pipelines/schedule-routes.ts";
import { triggerPath, triggerRoutes } from "./pipelines/trigger-routes.ts";
import { projectTokenRoutes } from "./project-tokens/project-token-routes.ts";
import { projectRoutes } from "./projects/project-routes.ts";
import { repositoryRoutes } from "./repository/repository-routes.ts";
import { statusRoutes } from "./statuses/status-routes.ts";
import { systemHookRoutes } from "./system-hooks/system-hook-routes.ts";
import { tagRoutes } from "./tags/tag-routes.ts";
import { tokenRoutes } from "./tokens/token-routes.ts";
import { userRoutes } from "./users/user-routes.ts";
import { variableRoutes } from "./variables/variable-routes.ts";

const maxBody = 64 * 1024 * 1024; // a commit's files travel in one body, a third larger in base64

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
  app.use(plainJson);
  app.use(keyRoutes(context));
  app.use(gitHttp(context));
  app.use("/api/v4", api(context));
  app.use("/api/graphql", graphQlRoutes(context));
  app.use(pageRoutes(context));
  app.use((_request, _response) => {
    throw new ApiError(404, { error: "404 Not Found" });
  });
  app.use(answerErrors(context.logger));
  return app;
}

function api(context: ForgeContext): Router {
  const routes = Router({ caseSensitive: true });
  if (context.requestsPerMinute !== undefined) routes.use(limitRate(context, context.requestsPerMinute));
  routes.use(authenticate(context));
  routes.use(refuseStrangersWrites);
  routes.use(compareTagsAlways);
  routes.use(express.json({ limit: maxBody, strict: false }));
  routes.use(express.urlencoded({ limit: maxBody, extended: true, parameterLimit: 10_000 }));
  routes.use(multipart(maxBody));
  for (const resource of [
    metadataRoutes,
    userRoutes,
    tokenRoutes,
    groupRoutes,
    projectRoutes,
    memberRoutes,
    repositoryRoutes,
    blobRoutes,
    archiveRoutes,
    compareRoutes,
    tagRoutes,
    statusRoutes,
    hookRoutes,
    systemHookRoutes,
    projectTokenRoutes,
    deployTokenRoutes,
    variableRoutes,
    triggerRoutes,
    pipelineRoutes,
    scheduleRoutes,
    lintRoutes,
    artifactRoutes,
    jobRoutes,
    resourceGroupRoutes,
    environmentRoutes,
    deploymentRoutes,
    labelRoutes,
    forkRoutes,
    mergeRequestRoutes,
    mergeRequestCodeRoutes,
    mergeRequestMergeRoutes,
    noteRoutes,
    suggestionRoutes,
    commitCommentRoutes,
    applicationRoutes,
  ]) {
    routes.use(resource(context));
  }
  routes.use(refuseUnimplemented);
  return routes;
}

/** `If-None-Match` counts whatever `Cache-Control` says beside it, as with GitLab: `fetch` always sends both. */
function compareTagsAlways(request: Request, _response: Response, next: NextFunction): void {
  delete request.headers["cache-control"];
  next();
}

/** No body is read from somebody unknown, but of a trigger, whose token stands in there. */
function refuseStrangersWrites(request: Request, _response: Response, next: NextFunction): void {
  const reads = request.method === "GET" || request.method === "HEAD";
  if (!reads && !triggerPath.test(request.path)) requireCaller(request);
  next();
}
