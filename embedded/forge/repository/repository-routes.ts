import { Router } from "express";
import type { ForgeContext } from "../forge-context.ts";
import { branchRoutes } from "./branch-routes.ts";
import { commitRoutes } from "./commit-routes.ts";
import { fileRoutes } from "./file-routes.ts";
import { pickRoutes } from "./pick-routes.ts";
import { protectedBranchRoutes } from "./protected-branch-routes.ts";
import { treeRoutes } from "./tree-routes.ts";

/** `/projects/:id/repository` and `/projects/:id/protected_branches`. */
export function repositoryRoutes(context: ForgeContext): Router {
  const routes = Router({ caseSensitive: true });
  for (const part of [
    treeRoutes,
    fileRoutes,
    commitRoutes,
    pickRoutes,
    branchRoutes,
    protectedBranchRoutes,
  ]) {
    routes.use(part(context));
  }
  return routes;
}
