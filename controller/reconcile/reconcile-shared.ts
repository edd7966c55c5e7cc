import { ActionNeededError } from "#core/errors";
import type { DesiredState, PinnedSnapshot } from "#schemas/desired-state";
import { GitReader } from "../assets/git-reader.ts";
import type { ReconcileDeps, Reconciled } from "./reconcile-project.ts";
import { treeRefusal } from "./tree-refusal.ts";

/** A shared repository changed: everybody who declares something of it, or who waits for something of it, is looked at. */
export function reconcileShared(deps: ReconcileDeps, revision: string | undefined): Reconciled {
  const concerned = deps.tracked.users().filter(({ user }) => {
    const document = deps.desired.get(user);
    if (!document) return true;
    return (
      document.refused.length > 0 ||
      document.twins.some((twin) => twin.brokenSince || usesShared(twin.spec.assets))
    );
  });
  for (const { project } of concerned) deps.nudgeProject(project.path);
  return {
    ...(revision === undefined ? {} : { revision }),
    outcome: "applied",
    summary: `${concerned.length} users are looked at again`,
  };
}

/** A shared repository that may not be checked out does not stop its users: the commit they had last counts. */
export async function openCommon(
  deps: ReconcileDeps,
  before: DesiredState | undefined,
): Promise<{ pinned: PinnedSnapshot; reader: GitReader } | undefined> {
  const [path] = deps.tracked.shared;
  const project =
    path === undefined ? undefined : (deps.tracked.project(path) ?? (await deps.forge.project(path)));
  if (!project) return undefined;
  await deps.tracked.note(project);
  let commit = await deps.mirrors.head(project);
  commit ??= await deps.mirrors.fetch(project, deps.forge.gitAccess(project));
  if (commit === undefined) return undefined;
  const reader = await GitReader.open(deps.mirrors, project.id, commit).catch(treeRefusal);
  if (!(reader instanceof ActionNeededError)) return { pinned: { project: project.path, commit }, reader };
  deps.logger.warn(
    { project: project.path, revision: commit, err: reader.message },
    "the shared repository is refused",
  );
  const last = before?.twins.find(({ common }) => common?.project === project.path)?.common;
  return last && { pinned: last, reader: await GitReader.open(deps.mirrors, project.id, last.commit) };
}

function usesShared(assets: readonly { path: string }[]): boolean {
  return assets.some((asset) => asset.path.startsWith("common/"));
}
