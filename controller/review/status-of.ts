import type { DesiredState } from "#schemas/desired-state";
import type { Diagnostic } from "#schemas/diagnostic";
import type { ObservedState, ObservedTwin, Phase } from "#schemas/observed-state";
import type { CommitStatus } from "../forge/forge.ts";

// What Git hosts show of a description.
const maxDescription = 255;

const stateOfPhase: Record<Phase, CommitStatus["state"]> = {
  pending: "pending",
  waiting: "pending",
  building: "running",
  creating: "running",
  starting: "running",
  restarting: "running",
  stopping: "running",
  unknown: "running",
  live: "success",
  completed: "success",
  ready: "success",
  failed: "failed",
  refused: "failed",
};

export type TwinStatus = Pick<CommitStatus, "name" | "state" | "description" | "targetUrl">;

/** Name of the status that tells what is wrong with a revision and belongs to no twin. */
export const repositoryStatus = "dtaas";

/** The commit status of each twin at the user's head revision, and of the repository where something beside them is wrong. Pure. */
export function statusesOf(
  desired: DesiredState,
  observed: ObservedState | undefined,
  publicUrl: string,
): TwinStatus[] {
  const isApplied = observed !== undefined && observed.generation >= desired.generation;
  const page = (twin: string, runId?: string) =>
    `${publicUrl}/api/v1/twins/${encodeURIComponent(desired.user)}/${encodeURIComponent(twin)}${runId ? `/runs/${runId}` : ""}`;
  const statuses: TwinStatus[] = desired.refused.map((twin) => ({
    name: `dtaas/${twin.name}`,
    state: "failed",
    description: shorten(firstProblem(twin.diagnostics)),
    targetUrl: page(twin.name),
  }));
  if (desired.problems?.length) {
    const description = shorten(firstProblem(desired.problems));
    statuses.push({ name: repositoryStatus, state: "failed", description });
  }
  const [unseen] = desired.view?.problems ?? [];
  if (unseen && !desired.problems?.length) {
    // No fault of this commit, and yet what its user has to know.
    const more = (desired.view?.problems.length ?? 1) - 1;
    const text = `shared assets: ${unseen.project}: ${unseen.reason}${more > 0 ? ` (and ${more} more)` : ""}`;
    statuses.push({ name: repositoryStatus, state: "success", description: shorten(text) });
  }
  for (const twin of desired.twins) {
    const name = `dtaas/${twin.name}`;
    const seen = observed?.twins.find((candidate) => candidate.name === twin.name);
    const targetUrl = page(twin.name, seen?.runId);
    if (twin.brokenSince) {
      const text = `${firstProblem(twin.brokenSince.diagnostics)} - still runs ${twin.revision.slice(0, 8)}`;
      statuses.push({ name, state: "failed", description: shorten(text), targetUrl });
    } else if (!isApplied || !seen) {
      statuses.push({ name, state: "pending", description: "queued", targetUrl });
    } else {
      statuses.push({ name, ...verdict(twin.revision, seen), targetUrl });
    }
  }
  return statuses;
}

function verdict(revision: string, seen: ObservedTwin): Pick<TwinStatus, "state" | "description"> {
  if (seen.returnedFrom?.revision === revision) {
    const text = `${seen.returnedFrom.reason} - returned to ${seen.revision?.slice(0, 8) ?? "the last good revision"}`;
    return { state: "failed", description: shorten(text) };
  }
  const because = seen.reason === undefined ? "" : `: ${seen.reason}`;
  const at =
    seen.revision === undefined || seen.revision === revision ? "" : ` (${seen.revision.slice(0, 8)})`;
  const isOld = seen.phase === "live" && at !== "";
  return {
    state: isOld ? "running" : stateOfPhase[seen.phase],
    description: shorten(`${seen.phase}${at}${because}`),
  };
}

function firstProblem(diagnostics: readonly Diagnostic[]): string {
  const [first] = diagnostics;
  if (!first) return "the spec is broken";
  const more = diagnostics.length > 1 ? ` (and ${diagnostics.length - 1} more)` : "";
  return `${first.file}:${first.line}:${first.column}: ${first.message}${more}`;
}

function shorten(text: string): string {
  return text.length <= maxDescription ? text : `${text.slice(0, maxDescription - 3)}...`;
}
