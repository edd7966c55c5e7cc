import { Router } from "express";
import type { ForgeContext } from "../forge-context.ts";
import { notFound } from "../http/api-error.ts";
import { asksForKeyset } from "../http/keyset.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters } from "../http/parameters.ts";
import { findProject } from "../projects/find-project.ts";
import { isFilePath } from "./file-actions.ts";
import { findCommit } from "./find-commit.ts";
import { listTree, type TreeEntry } from "./tree-entries.ts";
import { keysetTreePage, treePlace } from "./tree-page.ts";

const kinds: readonly TreeEntry["type"][] = ["tree", "blob", "commit"]; // folders first, as GitLab lists them

/** `GET /projects/:id/repository/tree`. */
export function treeRoutes(context: ForgeContext): Router {
  const routes = Router({ caseSensitive: true });
  routes.get("/projects/:id/repository/tree", async (request, response) => {
    const project = findProject(context, request, "code");
    const parameters = Parameters.of(request);
    const path = (parameters.text("path") ?? "").replace(/^\/+|\/+$/g, "");
    const recursive = parameters.boolean("recursive") ?? false;
    const ref = parameters.filled("ref");
    if (project.empty && ref === undefined) throw notFound("Tree");
    const place = treePlace(request);
    const commit = await findCommit(context, project, place?.commit ?? ref ?? project.defaultBranch, "Tree");
    if (path !== "" && !isFilePath(path)) throw notFound("invalid revision or path");
    const gitDir = context.repositories.path(project.id);
    const entries = await listTree(context.git, gitDir, commit.id, { path, recursive });
    if (!entries) throw notFound("invalid revision or path");
    entries.sort((a, b) => kinds.indexOf(a.type) - kinds.indexOf(b.type));
    const page = asksForKeyset(request)
      ? keysetTreePage(context, request, response, entries, place ?? { commit: commit.id, start: 0 })
      : paginate(context, request, response, entries);
    response.json(
      page.map((entry) => ({
        id: entry.id,
        name: entry.path.slice(entry.path.lastIndexOf("/") + 1),
        type: entry.type,
        path: entry.path,
        mode: entry.mode,
      })),
    );
  });
  return routes;
}
