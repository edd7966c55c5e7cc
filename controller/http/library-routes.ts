import type { ApiRoute } from "./api-route.ts";
import { libraryGraphqlRoute } from "./library-graphql-route.ts";
import { type LibraryRouteDeps, libraryReadRoutes } from "./library-read-routes.ts";
import { libraryWriteRoutes } from "./library-write-routes.ts";

/** `/library`: assets of users and shared ones. */
export function libraryRoutes(deps: LibraryRouteDeps): ApiRoute[] {
  return [...libraryReadRoutes(deps), ...libraryWriteRoutes(deps), libraryGraphqlRoute(deps)];
}
