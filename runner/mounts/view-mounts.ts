import { existsSync } from "node:fs";
import { join } from "node:path";
import { type DataFolder, projectFolder, snapshotPath } from "#core/data-folder";
import { ActionNeededError } from "#core/errors";
import type { DesiredState, PinnedSnapshot, ViewSource } from "#schemas/desired-state";
import type { ReadOnlyMount } from "../engine/engine.ts";
import type { Views } from "./views.ts";

/** What a live view's `/workspace/common` must be: a symbolic link to here, which the work tree does not track. */
export const liveCommon = "/views/current";

export interface MountsDeps {
  data: DataFolder;
  views: Views;
  /** See `Engine.placesFolders`. */
  placesFolders: boolean;
}

/**
 * Folders for a container that follows its user's view: a push to a shared repository appears in it at once. Every
 * repository this user may read is there whole. `container` is the name under which the engine will know it: the view's
 * generations are kept as long as it is there. Make `/workspace/common` a link to `liveCommon`.
 */
export async function liveMounts(
  deps: MountsDeps,
  desired: Pick<DesiredState, "user" | "view">,
  container: string,
): Promise<ReadOnlyMount[]> {
  const { data, views } = deps;
  const { user, view } = desired;
  const generation = views.ensure(user, view?.sources ?? [], view?.assets);
  if (views.current(user) === undefined) views.show(user, generation);
  await views.holders.hold(user, container, {
    generation: views.current(user) ?? generation.name,
    kind: "live",
  });
  const projects = [...new Set((view?.sources ?? []).map(({ project }) => project))];
  return [
    { source: views.folder(user), target: "/views" },
    ...projects.map((project) => ({
      source: join(data.snapshots, projectFolder(project)),
      target: views.rootOf(project),
    })),
  ];
}

/**
 * Folders for a container that sees the same for as long as it runs: one generation, and of each repository the one
 * commit that it leads to. `ActionNeededError("ACCESS_REMOVED")` when the user may not read one of them any more.
 */
export async function pinnedMounts(
  deps: MountsDeps,
  desired: Pick<DesiredState, "view"> | undefined,
  pinned: { user: string; own: PinnedSnapshot; shared: readonly PinnedSnapshot[]; container: string },
): Promise<ReadOnlyMount[]> {
  const { data, views } = deps;
  const { user, own, shared, container } = pinned;
  const lost = shared.filter(({ project }) => !readableProjects(desired).has(project));
  if (lost.length > 0) {
    const names = lost.map(({ project }) => project).join(", ");
    throw new ActionNeededError("ACCESS_REMOVED", `${user} may not read ${names} any more`, {
      hint: "ask for access to it, or run the operation as it is now instead of the former run",
    });
  }
  const hasCommon = existsSync(join(snapshotPath(data, own.project, own.commit), "common"));
  const sources: ViewSource[] = [...(hasCommon ? [{ ...own, folder: "common" as const }] : []), ...shared];
  const generation = views.ensure(user, sources);
  await views.holders.hold(user, container, { generation: generation.name, kind: "pinned" });
  return [
    { source: generation.folder, target: "/workspace/common" },
    ...(deps.placesFolders ? [{ source: generation.folder, target: liveCommon }] : []),
    ...sources.map(({ project, commit }) => ({
      source: snapshotPath(data, project, commit),
      target: join(views.rootOf(project), commit),
    })),
  ];
}

/** Shared repositories, and the user's own if it has a share, that a user may read now. */
export function readableProjects(desired: Pick<DesiredState, "view"> | undefined): ReadonlySet<string> {
  return new Set((desired?.view?.sources ?? []).map(({ project }) => project));
}
