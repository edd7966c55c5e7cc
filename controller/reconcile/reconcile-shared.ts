import { ActionNeededError } from "#core/errors";
import type { ReconcileDeps, Reconciled } from "./reconcile-project.ts";

/** A shared repository changed: everybody who may see it is looked at. */
export async function reconcileShared(
  deps: ReconcileDeps,
  path: string,
  revision: string | undefined,
): Promise<Reconciled> {
  const concerned = await usersOf(deps, path);
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

/** Everybody whose view it may be in: who may read it, who had it, and who lists it. */
async function usersOf(deps: ReconcileDeps, path: string) {
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
