import { type Request, Router } from "express";
import { callerOf } from "../access/caller.ts";
import type { ForgeContext } from "../forge-context.ts";
import type { GitCommit } from "../git/commit.ts";
import { isBranchName, zeroId } from "../git/ref-name.ts";
import { branchHead } from "../git/refs.ts";
import { ApiError, badRequest, notFound } from "../http/api-error.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters, pathParameter } from "../http/parameters.ts";
import { findProject, findProjectToChange } from "../projects/find-project.ts";
import type { ProjectRecord } from "../store/records.ts";
import { branchJson } from "./branch-json.ts";
import { isProtected } from "./branch-protection.ts";
import { checkMayPush } from "./commit-files.ts";
import { listHeads } from "./list-heads.ts";
import { matchesSearch } from "./matches-search.ts";
import { refsChanged } from "./refs-changed.ts";

/** `/projects/:id/repository/branches`. */
export function branchRoutes(context: ForgeContext): Router {
  const { git, repositories, objects } = context;
  const routes = Router({ caseSensitive: true });

  routes.get("/projects/:id/repository/branches", async (request, response) => {
    const project = findProject(context, request, "code");
    const search = Parameters.of(request).filled("search");
    const heads = await listHeads(context, project);
    const page = paginate(
      context,
      request,
      response,
      heads.filter(({ name }) => matchesSearch(name, search)),
    );
    const user = callerOf(request)?.user;
    const json = page.map(async ({ name, id }) => {
      const found = await objects.commit(repositories.path(project.id), id);
      if (!found) return [];
      const merged = await isMerged(context, project, name, found);
      return [branchJson(context, project, { name, commit: found, merged }, user)];
    });
    response.json((await Promise.all(json)).flat());
  });

  routes.get("/projects/:id/repository/branches/:branch", async (request, response) => {
    const project = findProject(context, request, "code");
    const { name, commit } = await findBranch(context, project, request);
    const merged = await isMerged(context, project, name, commit);
    response.json(branchJson(context, project, { name, commit, merged }, callerOf(request)?.user));
  });

  routes.post("/projects/:id/repository/branches", async (request, response) => {
    const { project, user } = findProjectToChange(context, request, "developer");
    const parameters = Parameters.of(request);
    const name = parameters.requiredFilled("branch");
    const start = parameters.requiredFilled("ref");
    if (!isBranchName(name)) throw badRequest("Branch name is invalid");
    checkMayPush(context, project, user, name);
    const gitDir = repositories.path(project.id);
    const commit = await objects.resolve(gitDir, start);
    if (!commit) throw badRequest(`Invalid reference name: ${start}`);
    const ref = `refs/heads/${name}`;
    const made = await git.run(gitDir, ["update-ref", ref, commit.id, zeroId]);
    if (made.code !== 0) {
      const exists = (await branchHead(gitDir, name)) !== undefined;
      throw badRequest(exists ? "Branch already exists" : `Failed to create branch '${name}'`);
    }
    const changes = [{ ref, before: zeroId, after: commit.id }];
    await refsChanged(context, { project, user, changes, pushOptions: [] });
    const merged = await isMerged(context, project, name, commit);
    const current = context.store.projects.get(project.id) ?? project;
    response.status(201).json(branchJson(context, current, { name, commit, merged }, user));
  });

  routes.delete("/projects/:id/repository/branches/:branch", async (request, response) => {
    const { project, user } = findProjectToChange(context, request, "developer");
    const { name, commit } = await findBranch(context, project, request);
    if (name === project.defaultBranch) throw new ApiError(405, { message: "Cannot remove HEAD branch" });
    if (isProtected(project, name)) throw new ApiError(405, { message: "Protected branch can't be removed" });
    const ref = `refs/heads/${name}`;
    const removed = await git.run(repositories.path(project.id), ["update-ref", "-d", ref, commit.id]);
    if (removed.code !== 0) throw badRequest("Failed to remove branch");
    const changes = [{ ref, before: commit.id, after: zeroId }];
    await refsChanged(context, { project, user, changes, pushOptions: [] });
    response.status(204).end();
  });

  return routes;
}

async function findBranch(
  context: ForgeContext,
  project: ProjectRecord,
  request: Request,
): Promise<{ name: string; commit: GitCommit }> {
  const name = pathParameter(request, "branch");
  const gitDir = context.repositories.path(project.id);
  const head = await branchHead(gitDir, name);
  const commit = head && (await context.objects.commit(gitDir, head));
  if (!commit) throw notFound("Branch");
  return { name, commit };
}

/** True when the default branch holds the branch's head; of itself GitLab says it is not merged. */
async function isMerged(
  context: ForgeContext,
  project: ProjectRecord,
  name: string,
  commit: GitCommit,
): Promise<boolean> {
  if (name === project.defaultBranch) return false;
  const gitDir = context.repositories.path(project.id);
  const head = await branchHead(gitDir, project.defaultBranch);
  if (!head || head === commit.id) return head !== undefined;
  return (await context.git.run(gitDir, ["merge-base", "--is-ancestor", commit.id, head])).code === 0;
}
