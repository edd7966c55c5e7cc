import { ActionNeededError } from "#core/errors";
import type { DeliveryDetails, DeliveryView, Items } from "#schemas/api";
import { callerOf } from "../auth/requires.ts";
import type { Rights } from "../auth/rights.ts";
import type { RunArchive } from "../reading/run-archive.ts";
import type { StoredDocuments } from "../reading/stored-documents.ts";
import { twinViews } from "../reading/twin-views.ts";
import type { ApiRoute } from "./api-route.ts";
import type { DeliveryBook } from "./app-deps.ts";
import { limitQuery, nameIn } from "./read-request.ts";

const defaultPerPage = 50;
const maxPerPage = 500;

export interface DeliveryRouteDeps {
  deliveries: DeliveryBook;
  documents: StoredDocuments;
  runs: RunArchive;
  rights: Rights;
}

/** Deliveries of a project are seen by those who see the project. */
export function deliveryRoutes(deps: DeliveryRouteDeps): ApiRoute[] {
  return [
    {
      method: "get",
      path: "/deliveries",
      action: "see",
      resource: "each",
      handle: async (request, response) => {
        const caller = callerOf(response);
        const limit = limitQuery(request, defaultPerPage, maxPerPage);
        const isAdministrator = await deps.rights.isAdministrator(caller);
        const found = await deps.deliveries.list(isAdministrator ? limit : maxPerPage);
        const items: DeliveryView[] = [];
        for (const delivery of found) {
          const may = await deps.rights.decide(caller, "see", delivery.project ?? undefined);
          if (may === "allowed") items.push(delivery);
          if (items.length >= limit) break;
        }
        response.json({ items } satisfies Items<DeliveryView>);
      },
    },
    {
      method: "get",
      path: "/deliveries/{id}",
      action: "see",
      resource: async (request) => {
        return (await deps.deliveries.get(nameIn(request, "id")))?.project ?? undefined;
      },
      handle: async (request, response) => {
        const id = nameIn(request, "id");
        const delivery = await deps.deliveries.get(id);
        if (!delivery) {
          throw new ActionNeededError("DELIVERY_NOT_FOUND", `there is no delivery ${id}`, {
            hint: "deliveries are kept for a week; list them: dtaas delivery list",
          });
        }
        const user = delivery.project?.slice(delivery.project.lastIndexOf("/") + 1);
        const isUsers = user !== undefined && deps.rights.projectOf(user) === delivery.project;
        const twins = isUsers ? await twinViews(deps, user) : [];
        response.json({ ...delivery, twins } satisfies DeliveryDetails);
      },
    },
  ];
}
