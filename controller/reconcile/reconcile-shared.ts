import { ActionNeededError, messageOf, TryLaterError } from "#core/errors";
import { checkTree } from "../assets/check-tree.ts";
import { GitReader } from "../assets/git-reader.ts";
import type { ForgeProject } from "../forge/forge.ts";
import type { ReconcileDeps, Reconciled } from "./reconcile-project.ts";
import { treeRefusal } from "./tree-refusal.ts";

/** A shared repository changed: everybody who may see it is looked at. */
export async function reconcileShared(
  deps: ReconcileDeps,
  shared: ForgeProject,
  revision: string | undefined,
): Promise<Reconciled> {
  const concerned = await nudgeReaders(deps, shared.path);
  const refusal = revision === undefined ? undefined : await refusalOf(deps, shared, revision);
  if (revision !== undefined && refusal) {
    return { revision, outcome: "refused", summary: `${refusal.message}; the last good revision is used` };
  }
  return {
    ...(revision === undefined ? {} : { revision }),
    outcome: "applied",
    summary: `${concerned} users are looked at again`,
  };
}

/** Looks at everybody again whose view a shared repository may be in. Resolves to how many. */
async function nudgeReaders(deps: ReconcileDeps, path: string): Promise<number> {
  const concerned = await usersOf(deps, path);
  for (const { project } of concerned) deps.nudgeProject(project.path);
  return concerned.length;
}

/**
 * The Git host was asked about a project: it could be reached, or not and why. Whoever sees it as a shared repository is told when
 * that changes; what they see of it stays. What is no shared repository, and a full disk, is none of this.
 */
export async function noteReach(deps: ReconcileDeps, path: string, error?: unknown): Promise<void> {
  const isShared = deps.tracked.allWishes.some(({ project }) => project === path);
  const isHosts =
    error instanceof TryLaterError || (error instanceof ActionNeededError && error.code !== "DISK_FULL");
  if (!isShared || (error !== undefined && !isHosts)) return;
  const isNews = error === undefined ? deps.reach.found(path) : deps.reach.lost(path, messageOf(error));
  if (isNews) await nudgeReaders(deps, path);
}

/** Why a revision may not be checked out. */
async function refusalOf(
  deps: ReconcileDeps,
  { id }: ForgeProject,
  revision: string,
): Promise<ActionNeededError | undefined> {
  try {
    checkTree(await GitReader.open(deps.mirrors, id, revision));
    return undefined;
  } catch (error) {
    return treeRefusal(error);
  }
}

/** Everybody whose view it may be in: who may read it, who had it, and who lists it. */
export async function usersOf(
  deps: Pick<ReconcileDeps, "tracked"> & {
    readers: Pick<ReconcileDeps["readers"], "mayRead">;
    desired: Pick<ReconcileDeps["desired"], "get">;
  },
  path: string,
): Promise<{ user: string; project: ForgeProject }[]> {
  const wish = deps.tracked.allWishes.find(({ project }) => project === path);
  const mayRead = async (user: string) =>
    wish !== undefined &&
    (await deps.readers.mayRead(wish, user).catch((error: unknown) => {
      if (error instanceof ActionNeededError) return true; // the user's own look says what is wrong
      throw error;
    }));
  const isPlatforms = deps.tracked.sharedWishes.some(({ project }) => project === path);
  const listers = new Set(deps.tracked.listersOf(path));
  const concerned = [];
  for (const each of deps.tracked.users()) {
    const had = deps.desired.get(each.user)?.view?.sources.some(({ project }) => project === path);
    if (had || listers.has(each.user) || (isPlatforms && (await mayRead(each.user)))) concerned.push(each);
  }
  return concerned;
}
