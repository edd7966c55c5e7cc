import type { Items } from "#schemas/api";
import type { RemoteView } from "#schemas/remotes";
import { callerOf } from "../auth/requires.ts";
import type { Remotes } from "../remotes/remotes.ts";
import type { ApiRoute } from "./api-route.ts";
import { badRequest, nameIn, oneQuery } from "./read-request.ts";

/** Repositories on other hosts that a user's workspace.yaml names. */
export function remoteRoutes(deps: { remotes: Pick<Remotes, "list" | "request"> }): ApiRoute[] {
  return [
    {
      method: "get",
      path: "/users/{user}/remotes",
      action: "see",
      resource: "user",
      handle: async (request, response) => {
        const items = await deps.remotes.list(nameIn(request, "user"));
        response.json({ items } satisfies Items<RemoteView>);
      },
    },
    {
      method: "post",
      path: "/users/{user}/remotes/{remote}/sync",
      action: "change-files",
      resource: "user",
      handle: async (request, response) => {
        const direction = oneQuery(request, "direction");
        if (direction !== undefined && direction !== "pull" && direction !== "push") {
          throw badRequest("direction must be pull or push");
        }
        const accepted = await deps.remotes.request(nameIn(request, "user"), nameIn(request, "remote"), {
          by: callerOf(response).user.username,
          ...(direction === undefined ? {} : { direction }),
        });
        response.status(202).json(accepted satisfies RemoteView);
      },
    },
  ];
}
