import type { Me, PlanView, StatusView } from "#schemas/api";
import { callerOf } from "../auth/requires.ts";
import type { Rights } from "../auth/rights.ts";
import { sharedAssets } from "../reading/shared-assets.ts";
import type { StoredDocuments } from "../reading/stored-documents.ts";
import { countTwins } from "../reading/twin-counts.ts";
import type { ApiRoute } from "./api-route.ts";
import type { AppDeps } from "./app-deps.ts";
import { nameIn } from "./read-request.ts";

export interface PlatformRouteDeps extends Pick<AppDeps, "version" | "plan" | "queueLengths" | "lastResync"> {
  documents: StoredDocuments;
  rights: Rights;
  startedAt: Date;
}

export function platformRoutes(deps: PlatformRouteDeps): ApiRoute[] {
  return [
    {
      method: "get",
      path: "/me",
      action: "identify",
      resource: "platform",
      handle: async (_request, response) => {
        const caller = callerOf(response);
        const { id, username, name } = caller.user;
        const administrator = await deps.rights.isAdministrator(caller);
        response.json({ id, username, name, administrator } satisfies Me);
      },
    },
    {
      method: "get",
      path: "/users/{user}/plan",
      action: "see",
      resource: "user",
      handle: async (request, response) => {
        response.json((await deps.plan(nameIn(request, "user"))) satisfies PlanView);
      },
    },
    {
      method: "get",
      path: "/users/{user}/assets",
      action: "see",
      resource: "user",
      handle: async (request, response) => {
        const user = nameIn(request, "user");
        response.json(sharedAssets(user, await deps.documents.desired(user)));
      },
    },
    {
      method: "get",
      path: "/status",
      action: "administer",
      resource: "platform",
      handle: async (_request, response) => {
        const at = deps.lastResync();
        const users = await deps.documents.users();
        const status: StatusView = {
          version: deps.version,
          node: process.version,
          startedAt: deps.startedAt.toISOString(),
          users: users.length,
          twins: await countTwins(deps.documents, users),
          queues: await deps.queueLengths(),
          resync: { at: at?.toISOString() ?? null, ageMs: at ? Date.now() - at.getTime() : null },
        };
        response.json(status);
      },
    },
  ];
}
