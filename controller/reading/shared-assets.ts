import type { SharedAssets } from "#schemas/api";
import type { DesiredState } from "#schemas/desired-state";

/** What one user sees at /workspace/common, as the API tells it. Pure. */
export function sharedAssets(user: string, desired: Pick<DesiredState, "view"> | undefined): SharedAssets {
  const { sources, assets, hidden, problems } = desired?.view ?? {
    ...{ sources: [], assets: [], hidden: [], problems: [] },
  };
  const project = (index: number) => sources[index]?.project ?? "";
  return {
    user,
    repositories: sources.map(({ project: path, commit, folder }) => ({
      ...{ project: path, commit, folder: folder ?? null },
    })),
    assets: assets.map(({ path, from }) => ({ path, project: project(from) })),
    hidden: hidden.map(({ path, from, behind }) => ({
      path,
      project: project(from),
      behind: project(behind),
    })),
    problems,
  };
}
