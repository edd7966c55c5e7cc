import { type Request, Router } from "express";
import type { ForgeContext } from "../forge-context.ts";
import { ApiError, badParameter, badRequest, notFound } from "../http/api-error.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters, pathParameter } from "../http/parameters.ts";
import { findProject, findProjectToChange } from "../projects/find-project.ts";
import { matchesSearch } from "../repository/matches-search.ts";
import type { LabelRecord } from "../store/merge-request-records.ts";
import type { ProjectRecord } from "../store/records.ts";
import { checkLabelName, createLabel } from "./ensure-labels.ts";
import { labelJson, labelNamed } from "./label-json.ts";

const maxDescription = 4_096;

/** `/projects/:id/labels`: read by whoever sees the project, changed by Reporters. */
export function labelRoutes(context: ForgeContext): Router {
  const { labels, labelsByProject, mergeRequests, mergeRequestsByProject } = context.store;
  const routes = Router({ caseSensitive: true });
  const base = "/projects/:id/labels";

  routes.get(base, (request, response) => {
    const project = findProject(context, request, "see");
    const search = Parameters.of(request).filled("search");
    const found = labelsByProject.all(String(project.id)).filter(({ name }) => matchesSearch(name, search));
    found.sort((a, b) => (a.name < b.name ? -1 : 1));
    response.json(paginate(context, request, response, found).map(labelJson));
  });

  routes.get(`${base}/:label`, (request, response) => {
    response.json(labelJson(findLabel(context, findProject(context, request, "see"), request)));
  });

  routes.post(base, async (request, response) => {
    const { project } = findProjectToChange(context, request, "reporter");
    const parameters = Parameters.of(request);
    const name = parameters.requiredFilled("name").trim();
    if (labelNamed(context, project, name)) throw new ApiError(409, { message: "Label already exists" });
    const color = colorOf(parameters.required("color"));
    const label = await createLabel(context, project, { name, color, ...descriptionOf(parameters) });
    response.status(201).json(labelJson(label));
  });

  routes.put(`${base}/:label`, async (request, response) => {
    const { project } = findProjectToChange(context, request, "reporter");
    const label = findLabel(context, project, request);
    const parameters = Parameters.of(request);
    const name = parameters.filled("new_name")?.trim();
    const color = parameters.filled("color");
    if (!parameters.hasAny(["new_name", "color", "description"])) {
      throw badParameter("new_name, color, description are missing, at least one parameter must be provided");
    }
    if (name !== undefined) checkLabelName(name);
    if (name !== undefined && name !== label.name && labelNamed(context, project, name)) {
      throw badRequest({ title: ["has already been taken"] });
    }
    const changed = await labels.update(label.id, {
      ...(name !== undefined && { name }),
      ...(color !== undefined && { color: colorOf(color) }),
      ...descriptionOf(parameters),
    });
    if (name !== undefined) await relabel(project, label.name, [name]);
    response.json(labelJson(changed));
  });

  routes.delete(`${base}/:label`, async (request, response) => {
    const { project } = findProjectToChange(context, request, "reporter");
    const label = findLabel(context, project, request);
    await labels.remove(label.id);
    await relabel(project, label.name, []);
    response.status(204).end();
  });

  /** Merge requests keep names, so a new name goes to each. */
  async function relabel(project: ProjectRecord, before: string, after: readonly string[]): Promise<void> {
    for (const each of mergeRequestsByProject.all(String(project.id))) {
      if (!each.labels.includes(before)) continue;
      const changed = each.labels.flatMap((name) => (name === before ? after : [name]));
      await mergeRequests.update(each.id, { labels: changed });
    }
  }

  return routes;
}

function findLabel(context: ForgeContext, project: ProjectRecord, request: Request): LabelRecord {
  const wanted = pathParameter(request, "label");
  const labels = context.store.labelsByProject.all(String(project.id));
  const label = labels.find((each) => each.name === wanted || String(each.id) === wanted);
  if (!label) throw notFound("Label");
  return label;
}

function colorOf(text: string): string {
  if (!/^(#[0-9a-f]{3}([0-9a-f]{3})?|[a-z]{3,30})$/i.test(text)) {
    throw badRequest({ color: ["must be a valid color code"] });
  }
  return text;
}

function descriptionOf(parameters: Parameters): { description?: string | null } {
  if (!parameters.has("description")) return {};
  const description = parameters.filled("description") ?? null;
  if (description !== null && description.length > maxDescription) {
    throw badRequest({ description: [`is too long (maximum is ${maxDescription} characters)`] });
  }
  return { description };
}
