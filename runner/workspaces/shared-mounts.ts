import type { DesiredState } from "#schemas/desired-state";
import type { ReadOnlyMount } from "../engine/engine.ts";
import { liveMounts, readableProjects } from "../mounts/view-mounts.ts";
import type { Runner } from "../twins/runner.ts";

/** The name under which a session's container holds its user's view. */
export function viewHolder({ user, session }: { user: string; session: number }): string {
  return `workspace-${user}-${session}`;
}

/** The user's live view of shared assets, and the projects that can be read through it. */
export async function sharedMounts(
  runner: Pick<Runner, "data" | "views" | "engine">,
  request: { user: string; session: number },
  desired: DesiredState | undefined,
): Promise<{ mounts: ReadOnlyMount[]; reads: string[] }> {
  const { data, views, engine } = runner;
  const { user } = request;
  const view = desired?.view;
  const mounts = await liveMounts(
    { data, views, placesFolders: engine.placesFolders },
    { user, ...(view ? { view } : {}) },
    viewHolder(request),
  );
  return { mounts, reads: [...readableProjects(desired)] };
}

/** Projects that a container sees and its user may not read any more. */
export function lostProjects(
  reads: readonly string[] | undefined,
  desired: DesiredState | undefined,
): string[] {
  const readable = readableProjects(desired);
  return (reads ?? []).filter((project) => !readable.has(project));
}
