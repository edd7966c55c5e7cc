import { type Request, Router } from "express";
import { requireCaller } from "../access/caller.ts";
import { canReadCode } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { badParameter, notFound } from "../http/api-error.ts";
import { Parameters, pathId } from "../http/parameters.ts";
import { commitMessageIn } from "../repository/commit-message.ts";
import { applySuggestions, type Offered } from "./apply-suggestions.ts";
import { suggestionJson } from "./suggestions.ts";

const maxBatch = 100;

/** `/suggestions/:id/apply` and `/suggestions/batch_apply`. */
export function suggestionRoutes(context: ForgeContext): Router {
  const { store, clock } = context;
  const routes = Router({ caseSensitive: true });

  routes.put("/suggestions/batch_apply", async (request, response) => {
    const ids = Parameters.of(request).texts("ids")?.map(Number) ?? [];
    if (ids.length === 0) throw badParameter("ids is missing");
    if (ids.length > maxBatch) throw badParameter(`ids has more than ${maxBatch} entries`);
    response.json((await apply(request, [...new Set(ids)])).map((each) => suggestionJson(context, each)));
  });

  routes.put("/suggestions/:suggestion_id/apply", async (request, response) => {
    const [applied] = await apply(request, [pathId(request, "suggestion_id")]);
    response.json(applied ? suggestionJson(context, applied) : null);
  });

  function apply(request: Request, ids: readonly number[]) {
    const { user } = requireCaller(request);
    const offered = ids.map((id): Offered => {
      const suggestion = store.suggestions.get(id);
      const note = suggestion && store.notes.get(suggestion.noteId);
      if (!suggestion || !note) throw notFound("Suggestion");
      return { suggestion, note };
    });
    const [first] = offered;
    const mergeRequest = store.mergeRequests.get(Number(first?.note.target.replace("mr:", "")));
    const project = mergeRequest && store.projects.get(mergeRequest.projectId);
    const isOne = offered.every(({ note }) => note.target === first?.note.target);
    if (!project || !isOne || !canReadCode(store, user, project, clock())) throw notFound("Suggestion");
    const message = commitMessageIn(Parameters.of(request), "commit_message");
    return applySuggestions(context, { project, mergeRequest }, offered, {
      by: user,
      ...(message !== undefined && { message }),
    });
  }

  return routes;
}
