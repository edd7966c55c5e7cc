import { type Request, Router } from "express";
import { accessLevels } from "../access/access-level.ts";
import { projectLevel } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { zeroId } from "../git/ref-name.ts";
import { badParameter, forbidden } from "../http/api-error.ts";
import { Parameters } from "../http/parameters.ts";
import { findProject, findProjectToChange } from "../projects/find-project.ts";
import { findCommit } from "../repository/find-commit.ts";
import type { ProjectRecord, UserRecord } from "../store/records.ts";
import type { Parsed } from "./config/evaluate-files.ts";
import { predefinedOfPipeline, unsetOf } from "./variables/predefined.ts";

const maxContentBytes = 1024 * 1024;
const givenFile = ".gitlab-ci.given.yml";

/** `/projects/:id/ci/lint`: what a file would make, given or as it was committed. Makes nothing. */
export function lintRoutes(context: ForgeContext): Router {
  const routes = Router({ caseSensitive: true });
  const base = "/projects/:id/ci/lint";

  routes.post(base, async (request, response) => {
    const { project, user } = findProjectToChange(context, request, "developer");
    const content = Parameters.of(request).required("content");
    if (Buffer.byteLength(content) > maxContentBytes) throw badParameter("content is too long");
    const ref = Parameters.of(request).filled("ref") ?? project.defaultBranch;
    const also = new Map([[givenFile, content]]);
    const parsed = await lint(context, { project, user, ref, include: [{ local: `/${givenFile}` }], also });
    response.status(200).json(lintJson(parsed, request));
  });

  routes.get(base, async (request, response) => {
    const project = findProject(context, request, "code");
    const { user } = findProjectToChange(context, request, "reporter");
    if (projectLevel(context.store, user, project, context.clock()) < accessLevels.reporter)
      throw forbidden();
    const parameters = Parameters.of(request);
    const ref = parameters.filled("content_ref") ?? parameters.filled("sha") ?? project.defaultBranch;
    const include = [{ local: `/${project.ciConfigPath ?? ".gitlab-ci.yml"}` }];
    response.json(lintJson(await lint(context, { project, user, ref, include }), request));
  });

  return routes;
}

async function lint(
  context: ForgeContext,
  of: {
    project: ProjectRecord;
    user: UserRecord;
    ref: string;
    include: { local: string }[];
    also?: ReadonlyMap<string, string>;
  },
): Promise<Parsed> {
  const { project, user, ref, include, also } = of;
  const commit = await findCommit(context, project, ref);
  const facts = {
    ref,
    tag: false,
    sha: commit.id,
    beforeSha: zeroId,
    source: "push" as const,
    mergeRequest: null,
    createdAt: context.clock().toISOString(),
  };
  return await context.ci.parser.parse(context, {
    project,
    user,
    commit: commit.id,
    ref,
    include,
    ...(also === undefined ? {} : { also }),
    variables: predefinedOfPipeline(context, { project, user, commit, pipeline: facts }),
    unset: unsetOf(facts),
    changed: undefined,
  });
}

function lintJson(parsed: Parsed, request: Request) {
  const withJobs = Parameters.of(request).boolean("include_jobs") ?? false;
  const plan = parsed.kind === "plan" ? parsed.plan : undefined;
  return {
    valid: parsed.kind !== "errors",
    errors: parsed.kind === "errors" ? parsed.errors : [],
    warnings: parsed.kind === "filtered" ? [parsed.reason] : [],
    merged_yaml: parsed.kind === "plan" ? parsed.expanded : null,
    includes: [],
    ...(withJobs && {
      jobs: (plan?.jobs ?? []).map((job) => ({
        name: job.name,
        stage: job.stage,
        before_script: job.beforeScript,
        script: job.script,
        after_script: job.afterScript,
        tag_list: job.tags,
        environment: job.environment?.name ?? null,
        when: job.when,
        allow_failure: job.allowFailure !== false,
        needs: job.needs?.map(({ job: name }) => ({ name })) ?? null,
      })),
    }),
  };
}
