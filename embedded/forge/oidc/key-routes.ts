import { Router } from "express";
import type { ForgeContext } from "../forge-context.ts";

const keptS = 300; // clients may keep the keys this long; a new key is put in place with a restart anyway

/** What tokens of the forge are checked with, at both of GitLab's addresses. */
export function keyRoutes({ signingKeys }: ForgeContext): Router {
  const routes = Router({ caseSensitive: true });
  routes.get(["/oauth/discovery/keys", "/-/jwks"], (_request, response) => {
    response.set({ "cache-control": `public, max-age=${keptS}`, "access-control-allow-origin": "*" });
    response.json(signingKeys.public);
  });
  return routes;
}
