import { Router } from "express";
import { requireCaller } from "../access/caller.ts";
import type { ForgeContext } from "../forge-context.ts";
import { forgeVersion } from "./forge-version.ts";

/** `/metadata` and `/version`, by which clients decide what they may ask for. */
export function metadataRoutes(_context: ForgeContext): Router {
  const routes = Router();
  for (const path of ["/metadata", "/version"]) {
    routes.get(path, (request, response) => {
      requireCaller(request);
      response.json({
        version: forgeVersion,
        revision: "dtaas",
        kas: { enabled: false, externalUrl: null, externalK8sProxyUrl: null, version: null },
        enterprise: false,
      });
    });
  }
  return routes;
}
