import type { DesiredState, DesiredTwin } from "#schemas/desired-state";
import type { ObservedState, ObservedTwin, Phase } from "#schemas/observed-state";
import type { DeploymentState } from "../forge/forge-pipelines.ts";

/** How a twin shall stand among the environments of its project. */
export interface WantedEnvironment {
  twin: string;
  name: string;
  url: string;
  commit: string;
  /** `stopped`: nothing of it runs, and nothing shall. */
  state: Exclude<DeploymentState, "cancelled"> | "stopped";
}

/** As the scope of a secret for one twin is called, too. */
export function environmentName(twin: string): string {
  return `dtaas/${twin}`;
}

/**
 * The environments of a user's twins: deployed while Git wants them to run, or while somebody runs them; stopped else. A twin of which
 * nothing is known, or that is left to its past by a broken spec, is left out. Pure.
 */
export function environmentsOf(
  desired: DesiredState,
  observed: ObservedState | undefined,
  publicUrl: string,
): WantedEnvironment[] {
  if (observed === undefined) return [];
  return desired.twins.flatMap((twin) => {
    const seen = observed.twins.find(({ name }) => name === twin.name);
    const state = seen && stateOf(twin, seen);
    if (!seen || state === undefined) return [];
    const url = `${publicUrl}/api/v1/twins/${encodeURIComponent(desired.user)}/${encodeURIComponent(twin.name)}`;
    const commit = seen.revision ?? twin.revision;
    return [{ twin: twin.name, name: environmentName(twin.name), url, commit, state }];
  });
}

const ofPhase: Partial<Record<Phase, WantedEnvironment["state"]>> = {
  waiting: "running",
  building: "running",
  creating: "running",
  starting: "running",
  restarting: "running",
  live: "succeeded",
  failed: "failed",
};

function stateOf(twin: DesiredTwin, { phase }: ObservedTwin): WantedEnvironment["state"] | undefined {
  if (phase === "ready" || phase === "stopping") return "stopped";
  // A one-off that Git wants done is deployed for as long as it is wanted; one that somebody ran is over.
  if (phase === "completed") return twin.state === "running" ? "succeeded" : "stopped";
  return ofPhase[phase];
}
