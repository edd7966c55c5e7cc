import { join } from "node:path";
import { writeJsonAtomic } from "#core/atomic-file";
import { ActionNeededError } from "#core/errors";
import { type OnSetAside, readOrSetAside } from "#core/read-or-set-aside";
import type { DesiredState } from "#schemas/desired-state";
import type { ObservedState } from "#schemas/observed-state";
import type { ForgeProject } from "../forge/forge.ts";
import type { ForgeEnvironments } from "../forge/forge-pipelines.ts";
import { environmentName, environmentsOf, type WantedEnvironment } from "./environments-of.ts";

export interface EnvironmentDeps {
  /** `<user>.json`: what was told last. */
  folder: string;
  environments: ForgeEnvironments;
  publicUrl: string;
  onSetAside: OnSetAside;
}

/** What the host was told of one twin. */
interface Told {
  url: string;
  commit: string;
  state: WantedEnvironment["state"];
  deployment: number;
}

/**
 * Brings the environments of a user's project up to what is observed, so that the host's page of environments lists live
 * twins with their address, and each revision that ran as a deployment. Only differences are sent; each is on disk before the
 * next. Errors: those of the host; what was told by then is kept.
 */
export async function reportEnvironments(
  deps: EnvironmentDeps,
  project: ForgeProject,
  desired: DesiredState,
  observed: ObservedState | undefined,
): Promise<void> {
  const path = join(deps.folder, `${desired.user}.json`);
  const told = (await readOrSetAside(path, { check: checkTold, onSetAside: deps.onSetAside })) ?? {};
  const remember = async (twin: string, now: Told | undefined) => {
    if (now) told[twin] = now;
    else delete told[twin];
    await writeJsonAtomic(path, told);
  };
  for (const wanted of environmentsOf(desired, observed, deps.publicUrl)) {
    const before = told[wanted.twin];
    const now =
      wanted.state === "stopped"
        ? await stop(deps, project, wanted.twin, before)
        : await deployed(deps, project, { ...wanted, state: wanted.state }, before);
    if (now !== before) await remember(wanted.twin, now);
  }
  const names = [...desired.twins, ...desired.refused].map(({ name }) => name);
  for (const [twin, before] of Object.entries(told)) {
    if (names.includes(twin)) continue;
    await stop(deps, project, twin, before);
    await remember(twin, undefined);
  }
}

async function stop(
  { environments }: EnvironmentDeps,
  project: ForgeProject,
  twin: string,
  before: Told | undefined,
): Promise<Told | undefined> {
  if (!before || before.state === "stopped") return before; // one that never ran has no environment
  if (before.state === "running") await environments.setDeployment(project, before.deployment, "cancelled");
  await environments.stop(project, environmentName(twin));
  return { ...before, state: "stopped" };
}

async function deployed(
  { environments }: EnvironmentDeps,
  project: ForgeProject,
  wanted: WantedEnvironment & { state: Exclude<WantedEnvironment["state"], "stopped"> },
  before: Told | undefined,
): Promise<Told> {
  const { name, url, commit, state } = wanted;
  if (!before || before.url !== url) await environments.ensure(project, { name, url });
  if (!before || before.commit !== commit || before.state === "stopped") {
    if (before?.state === "running")
      await environments.setDeployment(project, before.deployment, "cancelled");
    const ref = project.defaultBranch ?? "main";
    const { id } = await environments.deploy(project, { environment: name, commit, ref, state });
    return { url, commit, state, deployment: id };
  }
  // A restart of the same revision is no new deployment, and there is no way back from an end.
  const isStep = state !== before.state && state !== "running";
  if (isStep) await environments.setDeployment(project, before.deployment, state);
  return isStep || url !== before.url ? { ...before, url, state: isStep ? state : before.state } : before;
}

/** Lost, it costs one deployment of each twin that is told twice. */
function checkTold(value: unknown, path: string): Record<string, Told> {
  const isTold = (one: Partial<Told> | null) =>
    typeof one?.commit === "string" && typeof one.deployment === "number" && typeof one.state === "string";
  if (typeof value === "object" && value !== null && Object.values(value).every(isTold)) {
    return value as Record<string, Told>;
  }
  throw new ActionNeededError("DOCUMENT_INVALID", `${path} does not say what was told of environments`);
}
