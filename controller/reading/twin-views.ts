import pLimit from "p-limit";
import type { RunView, TwinView } from "#schemas/api";
import type { DesiredState, DesiredTwin, RefusedTwin } from "#schemas/desired-state";
import type { ObservedState, ObservedTwin } from "#schemas/observed-state";
import type { RunArchive } from "./run-archive.ts";
import { scheduleViews } from "./schedule-views.ts";
import type { StoredDocuments } from "./stored-documents.ts";

const maxReadsAtOnce = 16;

/** All twins of one user, by name: wanted, refused, and those still there that Git no longer has. */
export async function twinViews(
  sources: { documents: StoredDocuments; runs: Pick<RunArchive, "newest"> },
  user: string,
): Promise<TwinView[]> {
  const [desired, observed, schedule] = await Promise.all([
    sources.documents.desired(user),
    sources.documents.observed(user),
    sources.documents.schedule(user),
  ]);
  const views = mergeTwins(user, desired, observed).map((view) => ({
    ...view,
    schedule: scheduleViews(
      desired?.twins.find(({ name }) => name === view.name),
      schedule,
      Date.now(),
    ),
  }));
  const limit = pLimit(maxReadsAtOnce);
  return await limit.map(views, async (view) => ({
    ...view,
    lastRun: (await sources.runs.newest(user, view.name)) ?? null,
  }));
}

/** What Git asks for and what was observed, joined by name. `lastRun` is left to the caller. */
export function mergeTwins(
  user: string,
  desired: DesiredState | undefined,
  observed: ObservedState | undefined,
): TwinView[] {
  const wanted = new Map((desired?.twins ?? []).map((twin) => [twin.name, twin]));
  const refused = new Map((desired?.refused ?? []).map((twin) => [twin.name, twin]));
  const seen = new Map((observed?.twins ?? []).map((twin) => [twin.name, twin]));
  const applied = (observed?.generation ?? -1) >= (desired?.generation ?? 0);
  return [...new Set([...wanted.keys(), ...refused.keys(), ...seen.keys()])].sort().map((name) => {
    const seenTwin = seen.get(name);
    return {
      user,
      name,
      ...fromGit(name, wanted.get(name), refused.get(name)),
      ...fromRunner(seenTwin, !wanted.has(name) && refused.has(name)),
      applied,
      schedule: [],
      lastRun: null as RunView | null,
    };
  });
}

function fromGit(name: string, wanted: DesiredTwin | undefined, refused: RefusedTwin | undefined) {
  return {
    title: wanted?.metadata.title ?? name,
    description: wanted?.metadata.description ?? "",
    labels: wanted?.metadata.labels ?? {},
    state: wanted?.state ?? null,
    suspend: wanted?.suspend ?? false,
    derived: wanted?.derived ?? false,
    desiredRevision: wanted?.revision ?? refused?.revision ?? null,
    desiredSourceKey: wanted?.sourceKey ?? null,
    broken:
      wanted?.brokenSince ??
      (refused ? { revision: refused.revision, diagnostics: refused.diagnostics } : null),
    dependsOn: wanted?.spec.dependsOn ?? [],
    operations: Object.keys(wanted?.spec.lifecycle ?? {}),
  };
}

function fromRunner(seen: ObservedTwin | undefined, refused: boolean) {
  return {
    phase: seen && !(refused && seen.phase === "pending") ? seen.phase : refused ? "refused" : "pending",
    since: seen?.since ?? null,
    reason: seen?.reason ?? null,
    revision: seen?.revision ?? null,
    sourceKey: seen?.sourceKey ?? null,
    runId: seen?.runId ?? null,
    containerId: seen?.containerId ?? null,
    image: seen?.image ?? null,
    restarts: seen?.restarts ?? 0,
    returnedFrom: seen?.returnedFrom ?? null,
    waitingFor: seen?.waitingFor ?? [],
  } as const;
}
