import { type Request, Router } from "express";
import { accessLevels } from "../access/access-level.ts";
import { requireCaller } from "../access/caller.ts";
import type { ForgeContext } from "../forge-context.ts";
import { findGroup } from "../groups/find-group.ts";
import { ApiError, badParameter, badRequest, notFound } from "../http/api-error.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters, pathParameter } from "../http/parameters.ts";
import { findProject } from "../projects/find-project.ts";
import type { VariableRecord } from "../store/records.ts";
import { checkedKey, freshFields, hasVariableFields, variableFields } from "./variable-fields.ts";
import { variableJson } from "./variable-json.ts";

const maxVariables = 8_000; // of one project or group, as in GitLab

/** `/projects/:id/variables` for Maintainers, `/groups/:id/variables` for Owners: CI/CD variables, read and written. */
export function variableRoutes(context: ForgeContext): Router {
  const { store } = context;
  const routes = Router();

  for (const [plural, source] of [
    ["projects", "project"],
    ["groups", "group"],
  ] as const) {
    const base = `/${plural}/:id/variables`;
    const all = (sourceId: number) => store.variablesBySource.all(`${source}:${sourceId}`);

    routes.get(base, (request, response) => {
      const found = all(findSourceId(context, request, source));
      response.json(paginate(context, request, response, found).map(variableJson));
    });

    routes.post(base, async (request, response) => {
      const sourceId = findSourceId(context, request, source);
      const parameters = Parameters.of(request);
      const key = checkedKey(parameters);
      parameters.required("value");
      const fields = variableFields(parameters, freshFields, true);
      refuseTaken(all(sourceId), key, fields.environmentScope);
      if (all(sourceId).length >= maxVariables) {
        throw badRequest({
          base: [`Maximum number of ${source} ci variables (${maxVariables}) exceeded`],
        });
      }
      const made = await store.variables.insert((id) => ({ id, source, sourceId, key, ...fields }));
      response.status(201).json(variableJson(made));
    });

    routes.get(`${base}/:key`, (request, response) => {
      response.json(variableJson(findVariable(context, request, source)));
    });

    routes.put(`${base}/:key`, async (request, response) => {
      const variable = findVariable(context, request, source);
      const parameters = Parameters.of(request);
      if (!hasVariableFields(parameters)) throw badParameter("No parameters provided");
      const fields = variableFields(parameters, variable, false);
      const others = all(variable.sourceId).filter(({ id }) => id !== variable.id);
      refuseTaken(others, variable.key, fields.environmentScope);
      response.json(variableJson(await store.variables.update(variable.id, fields)));
    });

    routes.delete(`${base}/:key`, async (request, response) => {
      await store.variables.remove(findVariable(context, request, source).id);
      response.status(204).end();
    });
  }

  return routes;
}

function findSourceId(context: ForgeContext, request: Request, source: VariableRecord["source"]): number {
  requireCaller(request);
  if (source === "group") return findGroup(context, request, accessLevels.owner).id;
  return findProject(context, request, "maintainer").id;
}

/** The one variable that the key names; where several have it, `filter[environment_scope]` tells which is meant. */
function findVariable(
  context: ForgeContext,
  request: Request,
  source: VariableRecord["source"],
): VariableRecord {
  const sourceId = findSourceId(context, request, source);
  const key = pathParameter(request, "key");
  const scope = Parameters.of(request).record("filter")?.filled("environment_scope");
  const found = context.store.variablesBySource
    .all(`${source}:${sourceId}`)
    .filter((each) => each.key === key && (scope === undefined || each.environmentScope === scope));
  if (found.length > 1) {
    throw new ApiError(409, {
      message:
        "There are multiple variables with provided parameters. Please use 'filter[environment_scope]'",
    });
  }
  const [only] = found;
  if (!only) throw notFound("Variable");
  return only;
}

function refuseTaken(others: readonly VariableRecord[], key: string, scope: string): void {
  if (others.some((each) => each.key === key && each.environmentScope === scope)) {
    throw badRequest({ key: [`(${key}) has already been taken`] });
  }
}
