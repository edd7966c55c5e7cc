import { type Request, Router } from "express";
import type { ForgeContext } from "../forge-context.ts";
import { isBranchName, zeroId } from "../git/ref-name.ts";
import { tagTarget } from "../git/refs.ts";
import { badRequest, notFound } from "../http/api-error.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters, pathParameter } from "../http/parameters.ts";
import { findProject, findProjectToChange } from "../projects/find-project.ts";
import { personLine } from "../repository/person-line.ts";
import { refsChanged } from "../repository/refs-changed.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";
import { listTags } from "./list-tags.ts";
import { tagJson } from "./tag-json.ts";

/** `/projects/:id/repository/tags`. */
export function tagRoutes(context: ForgeContext): Router {
  const { git, objects, repositories } = context;
  const routes = Router({ caseSensitive: true });
  const base = "/projects/:id/repository/tags";

  routes.get(base, async (request, response) => {
    const project = findProject(context, request, "code");
    const tags = await listTags(context, project, Parameters.of(request));
    const page = paginate(context, request, response, tags);
    response.json(await Promise.all(page.map((tag) => tagJson(context, project, tag))));
  });

  routes.get(`${base}/:tag_name`, async (request, response) => {
    const project = findProject(context, request, "code");
    response.json(await tagJson(context, project, await findTag(context, project, request)));
  });

  routes.post(base, async (request, response) => {
    const { project, user } = findProjectToChange(context, request, "developer");
    const parameters = Parameters.of(request);
    const name = parameters.requiredFilled("tag_name");
    const start = parameters.requiredFilled("ref");
    const message = parameters.filled("message");
    if (!isBranchName(name)) throw badRequest("Tag name invalid");
    const gitDir = repositories.path(project.id);
    const commit = await objects.resolve(gitDir, start);
    if (!commit) throw badRequest(`Target ${start} is invalid`);
    const target =
      message === undefined
        ? commit.id
        : await writeTag(context, gitDir, user, { name, message, commit: commit.id });
    const ref = `refs/tags/${name}`;
    const made = await git.run(gitDir, ["update-ref", ref, target, zeroId]);
    if (made.code !== 0) {
      const exists = (await tagTarget(gitDir, name)) !== undefined;
      throw badRequest(exists ? `Tag ${name} already exists` : `Failed to create tag '${name}'`);
    }
    const changes = [{ ref, before: zeroId, after: target }];
    await refsChanged(context, { project, user, changes, pushOptions: [] });
    response.status(201).json(await tagJson(context, project, { name, target }));
  });

  routes.delete(`${base}/:tag_name`, async (request, response) => {
    const { project, user } = findProjectToChange(context, request, "developer");
    const { name, target } = await findTag(context, project, request);
    const ref = `refs/tags/${name}`;
    const removed = await git.run(repositories.path(project.id), ["update-ref", "-d", ref, target]);
    if (removed.code !== 0) throw badRequest("Failed to remove tag");
    const changes = [{ ref, before: target, after: zeroId }];
    await refsChanged(context, { project, user, changes, pushOptions: [] });
    response.status(204).end();
  });

  return routes;
}

async function findTag(context: ForgeContext, project: ProjectRecord, request: Request) {
  const name = pathParameter(request, "tag_name");
  const target = await tagTarget(context.repositories.path(project.id), name);
  if (target === undefined) throw notFound("Tag");
  return { name, target };
}

/** Writes the object of an annotated tag; no ref moves. */
async function writeTag(
  context: ForgeContext,
  gitDir: string,
  user: UserRecord,
  tag: { name: string; message: string; commit: string },
): Promise<string> {
  const when = `${Math.floor(context.clock().getTime() / 1_000)} +0000`;
  const head = `object ${tag.commit}\ntype commit\ntag ${tag.name}\ntagger ${personLine(user.name, user.email)} ${when}\n`;
  const input = `${head}\n${tag.message.trimEnd()}\n`;
  return (await context.git.text(gitDir, ["mktag"], { input })).trim();
}
