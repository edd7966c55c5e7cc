import type { Runner } from "../twins/runner.ts";
import { viewHolder } from "../workspaces/shared-mounts.ts";

/** Removes generations that nobody can hold, and the views of users who are gone for good. */
export async function collectViews(runner: Runner): Promise<void> {
  const { views, engine, desired, logger } = runner;
  const containers = [...(await engine.containers.list()), ...((await engine.previews?.list()) ?? [])];
  const workspaces = (await engine.workspaces?.list()) ?? [];
  const names = new Set([...containers.map(({ name }) => name), ...workspaces.map(viewHolder)]);
  const owners = new Set([
    ...containers.map(({ labels }) => labels.user),
    ...workspaces.map(({ user }) => user),
  ]);
  const wanted = new Set(await desired.users());
  for (const user of views.users()) {
    if (!wanted.has(user) && !owners.has(user)) {
      await views.forget(user);
      continue;
    }
    const gone = await views.collect(user, names);
    if (gone > 0) logger.debug({ user, generations: gone }, "old generations of a view removed");
  }
}
