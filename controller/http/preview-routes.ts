import { join } from "node:path";
import { type DataFolder, previewedFolder } from "#core/data-folder";
import { ActionNeededError } from "#core/errors";
import type { Items } from "#schemas/api";
import type { PreviewsView } from "#schemas/preview-view";
import type { PreviewBook } from "../previews/preview-book.ts";
import { withoutPoints } from "../previews/preview-views.ts";
import type { ApiRoute } from "./api-route.ts";
import type { Streams } from "./event-stream.ts";
import { nameIn } from "./read-request.ts";
import { sendLog } from "./send-log.ts";

export interface PreviewRouteDeps {
  data: DataFolder;
  previews: Pick<PreviewBook, "ofUser" | "get">;
  streams: Streams;
}

const base = "/users/{user}/previews";

/** Previews of merge requests, for whoever may see the user's twins. They are asked for by merge requests alone. */
export function previewRoutes({ data, previews, streams }: PreviewRouteDeps): ApiRoute[] {
  const see = { action: "see", resource: "user" } as const;
  return [
    {
      method: "get",
      path: base,
      ...see,
      handle: async (request, response) => {
        const items = (await previews.ofUser(nameIn(request, "user"))).map(withoutPoints);
        response.json({ items } satisfies Items<PreviewsView>);
      },
    },
    {
      method: "get",
      path: `${base}/{id}`,
      ...see,
      handle: async (request, response) => {
        const [user, id] = [nameIn(request, "user"), nameIn(request, "id")];
        const view = await previews.get(user, id);
        if (!view) throw noPreviews(user, id);
        response.json(view satisfies PreviewsView);
      },
    },
    {
      method: "get",
      path: `${base}/{id}/{twin}/runs/{run}/log`,
      ...see,
      handle: async (request, response) => {
        const [user, id] = [nameIn(request, "user"), nameIn(request, "id")];
        const [twin, run] = [nameIn(request, "twin"), nameIn(request, "run")];
        const look = async () => {
          const seen = (await previews.get(user, id))?.twins.find((one) => one.twin === twin);
          const found = seen?.runs.find((one) => one.run === run);
          return found && { ...found, hasEnded: found.outcome !== null };
        };
        if (!(await look())) {
          throw new ActionNeededError(
            "RUN_NOT_FOUND",
            `no preview ${id} of ${user}/${twin} has a run ${run}`,
            {
              hint: `look at it: dtaas preview show ${id} --user ${user}`,
            },
          );
        }
        const folder = join(previewedFolder(data, { user, id }), twin, run);
        await sendLog(request, response, { run: { folder, look }, streams });
      },
    },
  ];
}

function noPreviews(user: string, id: string): ActionNeededError {
  return new ActionNeededError(
    "PREVIEW_NOT_FOUND",
    `merge request ${id} has no previews of ${user}'s twins`,
    {
      hint: `list them: dtaas preview list --user ${user}`,
    },
  );
}
