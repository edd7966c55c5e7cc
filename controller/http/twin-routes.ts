import type { Request } from "express";
import type { Items, Rollback, StateChange, TwinView } from "#schemas/api";
import type { Memberships } from "../auth/memberships.ts";
import { callerOf } from "../auth/requires.ts";
import type { Rights } from "../auth/rights.ts";
import type { RunArchive } from "../reading/run-archive.ts";
import { isSafeName } from "../reading/safe-name.ts";
import type { StoredDocuments } from "../reading/stored-documents.ts";
import { twinViews } from "../reading/twin-views.ts";
import { type ChangeStateDeps, changeState } from "../requests/change-state.ts";
import { type RollbackDeps, rollbackTwin } from "../rollback/rollback-twin.ts";
import type { ApiRoute } from "./api-route.ts";
import { noTwin } from "./not-there.ts";
import { badRequest, bodyField, bodyValue, manyQuery, oneQuery, twinIn } from "./read-request.ts";
import { visibleUsers } from "./visible-users.ts";

export interface TwinRouteDeps {
  documents: StoredDocuments;
  runs: RunArchive;
  rights: Rights;
  memberships: Pick<Memberships, "project">;
  state: ChangeStateDeps;
  rollback: RollbackDeps;
}

export function twinRoutes(deps: TwinRouteDeps): ApiRoute[] {
  const { documents, runs, rights } = deps;
  return [
    {
      method: "get",
      path: "/twins",
      action: "see",
      resource: "each",
      handle: async (request, response) => {
        const user = oneQuery(request, "user");
        const phases = manyQuery(request, "phase");
        const labels = manyQuery(request, "label").map(parseLabel);
        const known = await documents.users();
        const asked = user === undefined ? known : isSafeName(user) && known.includes(user) ? [user] : [];
        const users = await visibleUsers(rights, callerOf(response), asked);
        const items: TwinView[] = [];
        for (const name of users) items.push(...(await twinViews({ documents, runs }, name)));
        const answer: Items<TwinView> = {
          items: items.filter(
            (twin) =>
              (phases.length === 0 || phases.includes(twin.phase)) &&
              labels.every(([key, value]) => twin.labels[key] === value),
          ),
        };
        response.json(answer);
      },
    },
    {
      method: "get",
      path: "/twins/{user}/{twin}",
      action: "see",
      resource: "user",
      handle: async (request, response) => {
        const { user, twin } = twinIn(request);
        const views = await twinViews({ documents, runs }, user);
        const view = views.find((candidate) => candidate.name === twin);
        if (!view) throw noTwin(user, twin, views);
        response.json(view);
      },
    },
    {
      method: "put",
      path: "/twins/{user}/{twin}/state",
      action: "change-state",
      resource: "user",
      handle: async (request, response) => {
        const { user, twin } = twinIn(request);
        const state = bodyField(request, "state", /^(running|stopped)$/, "running or stopped");
        const project = await deps.memberships.project(rights.projectOf(user));
        if (!project) throw noTwin(user, twin, []);
        const wish = { user, twin, state: state as "running" | "stopped" };
        const { token } = callerOf(response);
        const answer: StateChange = await changeState(deps.state, wish, { token, project });
        response.json(answer);
      },
    },
    {
      method: "post",
      path: "/twins/{user}/{twin}/rollback",
      action: "change-state",
      resource: "user",
      handle: async (request, response) => {
        const { user, twin } = twinIn(request);
        const revision = optionalText(request, "revision");
        const asMergeRequest = bodyValue(request, "mergeRequest") ?? false;
        if (typeof asMergeRequest !== "boolean") throw badRequest("mergeRequest is true or false");
        const project = await deps.memberships.project(rights.projectOf(user));
        if (!project) throw noTwin(user, twin, []);
        const wish = { user, twin, asMergeRequest, ...(revision === undefined ? {} : { revision }) };
        const { token } = callerOf(response);
        const answer: Rollback = await rollbackTwin(deps.rollback, wish, { token, project });
        response.json(answer);
      },
    },
  ];
}

function optionalText(request: Request, name: string): string | undefined {
  const value = bodyValue(request, name);
  if (value === undefined || (typeof value === "string" && value.length <= 100)) return value;
  throw badRequest(`${name} is a text of at most 100 characters`);
}

function parseLabel(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw badRequest("label must be written as key=value");
  return [text.slice(0, at), text.slice(at + 1)];
}
