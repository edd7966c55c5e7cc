import { Router } from "express";
import type { ForgeContext } from "../forge-context.ts";
import { Parameters, pathParameter } from "../http/parameters.ts";
import { findProjectToChange } from "../projects/find-project.ts";
import { commitJson } from "./commit-json.ts";
import { commitMessageIn } from "./commit-message.ts";
import { findCommit } from "./find-commit.ts";
import { pickCommit } from "./pick-commit.ts";

/** `commits/:sha/revert` and `commits/:sha/cherry_pick`. */
export function pickRoutes(context: ForgeContext): Router {
  const routes = Router({ caseSensitive: true });
  for (const [path, kind] of [
    ["revert", "revert"],
    ["cherry_pick", "cherry-pick"],
  ] as const) {
    routes.post(`/projects/:id/repository/commits/:sha/${path}`, async (request, response) => {
      const { project, user } = findProjectToChange(context, request, "developer");
      const parameters = Parameters.of(request);
      const branch = parameters.requiredFilled("branch");
      const dryRun = parameters.boolean("dry_run") ?? false;
      const message = commitMessageIn(parameters, "message");
      const commit = await findCommit(context, project, pathParameter(request, "sha"));
      const pick = { kind, branch, dryRun, ...(message !== undefined && { message }) };
      const made = await pickCommit(context, project, user, commit, pick);
      if (made) response.status(201).json(commitJson(context, project, made));
      else response.json({ dry_run: "success" });
    });
  }
  return routes;
}
