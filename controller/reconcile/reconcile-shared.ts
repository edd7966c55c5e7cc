import { ActionNeededError } from "#core/errors";
import type { PinnedSnapshot } from "#schemas/desired-state";
import { checkTree } from "../assets/check-tree.ts";
import { GitReader } from "../assets/git-reader.ts";
import { newestCommit } from "../assets/newest-commit.ts";
import type { ForgeProject } from "../forge/forge.ts";
import { pins } from "./pins.ts";
import type { ReconcileDeps, Reconciled } from "./reconcile-project.ts";
import { treeRefusal } from "./tree-refusal.ts";

/** A shared repository changed: everybody who declares something of it, or who waits for something of it, is looked at. */
export async function reconcileShared(
  deps: ReconcileDeps,
  shared: ForgeProject,
  revision: string | undefined,
): Promise<Reconciled> {
  const concerned = deps.tracked.users().filter(({ user }) => {
    const document = deps.desired.get(user);
    if (!document) return true;
    return (
      document.refused.length > 0 ||
      document.twins.some((twin) => twin.brokenSince || usesShared(twin.spec.assets))
    );
  });
  for (const { project } of concerned) deps.nudgeProject(project.path);
  const opened = revision === undefined ? undefined : await openShared(deps, shared, revision);
  if (revision !== undefined && opened instanceof ActionNeededError) {
    return { revision, outcome: "refused", summary: `${opened.message}; the last good revision is used` };
  }
  return {
    ...(revision === undefined ? {} : { revision }),
    outcome: "applied",
    summary: `${concerned.length} users are looked at again`,
  };
}

/**
 * A shared repository that may not be checked out does not stop its users: the newest commit that somebody is pinned to
 * counts.
 */
export async function openCommon(
  deps: ReconcileDeps,
): Promise<{ pinned: PinnedSnapshot; reader: GitReader } | undefined> {
  const [path] = deps.tracked.shared;
  const project =
    path === undefined ? undefined : (deps.tracked.project(path) ?? (await deps.forge.project(path)));
  if (!project) return undefined;
  await deps.tracked.note(project);
  let commit = await deps.mirrors.head(project);
  commit ??= await deps.mirrors.fetch(project, deps.forge.gitAccess(project));
  if (commit === undefined) return undefined;
  const reader = await openShared(deps, project, commit);
  if (!(reader instanceof ActionNeededError)) return { pinned: { project: project.path, commit }, reader };
  deps.logger.warn(
    { project: project.path, revision: commit, err: reader.message },
    "the shared repository is refused",
  );
  const inUse = deps.desired.all().flatMap(({ twins }) => pins(twins));
  const pinned = inUse.filter((pin) => pin.project === project.path).map((pin) => pin.commit);
  const last = await newestCommit(deps.mirrors, project.id, pinned);
  if (last === undefined) return undefined;
  return {
    pinned: { project: project.path, commit: last },
    reader: await GitReader.open(deps.mirrors, project.id, last),
  };
}

/** A shared repository at a commit; or why it may not be checked out. */
async function openShared(
  deps: ReconcileDeps,
  project: ForgeProject,
  commit: string,
): Promise<GitReader | ActionNeededError> {
  try {
    const reader = await GitReader.open(deps.mirrors, project.id, commit);
    checkTree(reader);
    return reader;
  } catch (error) {
    return treeRefusal(error);
  }
}

function usesShared(assets: readonly { path: string }[]): boolean {
  return assets.some((asset) => asset.path.startsWith("common/"));
}
