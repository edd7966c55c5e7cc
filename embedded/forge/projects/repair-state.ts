import { withAncestors } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { zeroId } from "../git/ref-name.ts";
import { noteActivity } from "../repository/refs-changed.ts";

/** Finishes at start what a crash cut off: a user, a renaming, a repository, the note of a first push. */
export async function repairState(context: ForgeContext): Promise<void> {
  const { store, git, repositories } = context;
  for (const namespace of store.namespaces.all()) {
    // Made just before its user, who did not come to be.
    const orphaned = namespace.kind === "user" && namespace.ownerId === null;
    const owner = orphaned && store.users.all().find((user) => user.namespaceId === namespace.id);
    if (owner) await store.namespaces.update(namespace.id, { ownerId: owner.id });
    else if (orphaned) await store.namespaces.remove(namespace.id);
  }
  await repairPaths(context);
  for (const project of store.projects.all()) {
    if (!project.empty) continue;
    const gitDir = repositories.path(project.id);
    if (!repositories.exists(project.id)) await repositories.create(project.id, project.defaultBranch);
    if (!repositories.mayHaveBranches(project.id)) continue;
    const listed = await git.text(gitDir, [
      "for-each-ref",
      "--format=%(objectname) %(refname)",
      "refs/heads",
    ]);
    const changes = listed
      .split("\n")
      .filter(Boolean)
      .map((line) => ({ before: zeroId, after: line.slice(0, 40), ref: line.slice(41) }));
    if (changes.length > 0) await noteActivity(context, project, changes);
  }
}

/** A renamed user, group or project gives everything below its new path. */
async function repairPaths(context: ForgeContext): Promise<void> {
  const { store } = context;
  for (const namespace of store.namespaces.all()) {
    const owner = namespace.ownerId === null ? undefined : store.users.get(namespace.ownerId);
    const path = owner?.username ?? namespace.path;
    if (path !== namespace.path) await store.namespaces.update(namespace.id, { path });
  }
  for (const namespace of store.namespaces.all()) {
    const above = withAncestors(store, namespace.id).map((each) => each.path);
    const fullPath = above.reverse().join("/");
    if (fullPath !== namespace.fullPath) await store.namespaces.update(namespace.id, { fullPath });
  }
  for (const project of store.projects.all()) {
    const around = store.namespaces.get(project.namespaceId);
    const fullPath = `${around?.fullPath ?? ""}/${project.path}`;
    if (around && fullPath !== project.fullPath) await store.projects.update(project.id, { fullPath });
  }
}
