import type { Request } from "express";
import { callerOf } from "../access/caller.ts";
import { canSeeGroup, groupLevel } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { forbidden, notFound, unauthorized } from "../http/api-error.ts";
import { pathParameter } from "../http/parameters.ts";
import type { NamespaceRecord } from "../store/records.ts";

/** The group that `:id` names by number or full path: 404 when it cannot be seen, 403 below `minimumLevel`. */
export function findGroup(context: ForgeContext, request: Request, minimumLevel = 0): NamespaceRecord {
  const { store, clock } = context;
  const id = pathParameter(request, "id");
  const found = /^\d+$/.test(id)
    ? store.namespaces.get(Number(id))
    : store.namespacesByPath.first(id.toLowerCase());
  const user = callerOf(request)?.user;
  const now = clock();
  if (found?.kind !== "group" || !canSeeGroup(store, user, found, now)) throw notFound("Group");
  if (minimumLevel > 0 && !user) throw unauthorized();
  if (groupLevel(store, user, found.id, now) < minimumLevel) throw forbidden();
  return found;
}
