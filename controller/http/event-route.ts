import type { DataFolder } from "#core/data-folder";
import type { PhaseChange } from "#schemas/api";
import type { ObservedTwin } from "#schemas/observed-state";
import { callerOf } from "../auth/requires.ts";
import type { Rights } from "../auth/rights.ts";
import type { PreviewBook } from "../previews/preview-book.ts";
import { observedChanges } from "../reading/observed-changes.ts";
import type { StoredDocuments } from "../reading/stored-documents.ts";
import type { ApiRoute } from "./api-route.ts";
import { eventWriter, type Streams } from "./event-stream.ts";

export interface EventRouteDeps {
  data: DataFolder;
  documents: StoredDocuments;
  rights: Rights;
  streams: Streams;
  previews: Pick<PreviewBook, "changes">;
}

/**
 * Phase changes of the twins and previews the caller may see, from now on. The first event, `ready`, says that nothing that
 * happens from here on is missed: list the twins after it. Rights are asked again for every change.
 */
export function eventRoute(deps: EventRouteDeps): ApiRoute {
  return {
    method: "get",
    path: "/events",
    action: "see",
    resource: "each",
    handle: async (_request, response) => {
      const caller = callerOf(response);
      const stream = deps.streams.open(response, "text/event-stream; charset=utf-8");
      const write = eventWriter(stream);
      const stopListening = deps.previews.changes.listen((change) => {
        void deps.rights
          .mayUser(caller, "see", change.user)
          .then(async (may) => (may ? await write({ event: "preview", data: change }) : undefined))
          .catch(() => undefined); // the host does not answer: it is seen in the next list
      });
      stream.signal.addEventListener("abort", stopListening, { once: true });
      const last = new Map<string, ReadonlyMap<string, ObservedTwin>>();
      for (const user of await deps.documents.users()) last.set(user, await twinsOf(deps.documents, user));
      const changes = observedChanges(deps.data.observed, stream.signal, () =>
        write({ event: "ready", data: {} }),
      );
      for await (const user of changes) {
        const before = last.get(user) ?? new Map<string, ObservedTwin>();
        const now = await twinsOf(deps.documents, user);
        last.set(user, now);
        if (!(await deps.rights.mayUser(caller, "see", user))) continue;
        for (const change of phaseChanges(user, before, now)) await write({ event: "phase", data: change });
      }
      stream.close();
    },
  };
}

/** Pure. */
export function phaseChanges(
  user: string,
  before: ReadonlyMap<string, ObservedTwin>,
  now: ReadonlyMap<string, ObservedTwin>,
): PhaseChange[] {
  return [...new Set([...before.keys(), ...now.keys()])].sort().flatMap((twin) => {
    const from = before.get(twin)?.phase ?? null;
    const to = now.get(twin);
    const phase = to?.phase ?? null;
    if (from === phase) return [];
    return [{ user, twin, from, phase, since: to?.since ?? null, reason: to?.reason ?? null }];
  });
}

async function twinsOf(documents: StoredDocuments, user: string): Promise<ReadonlyMap<string, ObservedTwin>> {
  const observed = await documents.observed(user);
  return new Map((observed?.twins ?? []).map((twin) => [twin.name, twin]));
}
