import type { Items, StateChange, TwinView } from "#schemas/api";
import type { Memberships } from "../auth/memberships.ts";
import { callerOf } from "../auth/requires.ts";
import type { Rights } from "../auth/rights.ts";
import type { RunArchive } from "../reading/run-archive.ts";
import { isSafeName } from "../reading/safe-name.ts";
import type { StoredDocuments } from "../reading/stored-documents.ts";
import { twinViews } from "../reading/twin-views.ts";
import { type ChangeStateDeps, changeState } from "../requests/change-state.ts";
import type { ApiRoute } from "./api-route.ts";
import { noTwin } from "./not-there.ts";
import { badRequest, bodyField, manyQuery, oneQuery, twinIn } from "./read-request.ts";
import { visibleUsers } from "./visible-users.ts";

export interface TwinRouteDeps {
  documents: StoredDocuments;
  runs: RunArchive;
  rights: Rights;
  memberships: Pick<Memberships, "project">;
  state: ChangeStateDeps;
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
  ];
}

function parseLabel(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw badRequest("label must be written as key=value");
  return [text.slice(0, at), text.slice(at + 1)];
}
