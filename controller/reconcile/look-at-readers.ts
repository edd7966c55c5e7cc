import type { ReconcileDeps } from "./reconcile-project.ts";

/** Asks the Git host who may read shared repositories, and looks again at everybody for whom that changed. */
export async function lookAtReaders(
  deps: Pick<ReconcileDeps, "readers" | "tracked" | "nudgeProject">,
): Promise<void> {
  for (const user of await deps.readers.refresh(deps.tracked.allWishes)) {
    const project = deps.tracked.projectOf(user);
    if (project) deps.nudgeProject(project.path);
  }
}
