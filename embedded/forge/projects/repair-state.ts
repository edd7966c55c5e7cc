import type { ForgeContext } from "../forge-context.ts";
import { zeroId } from "../git/ref-name.ts";
import { noteActivity } from "../repository/refs-changed.ts";

/** Finishes at start what a crash cut off: a user, a repository, the note of a first push. */
export async function repairState(context: ForgeContext): Promise<void> {
  const { store, git, repositories } = context;
  for (const namespace of store.namespaces.all()) {
    // Made just before its user, who did not come to be.
    const orphaned = namespace.kind === "user" && namespace.ownerId === null;
    const owner = orphaned && store.users.all().find((user) => user.namespaceId === namespace.id);
    if (owner) await store.namespaces.update(namespace.id, { ownerId: owner.id });
    else if (orphaned) await store.namespaces.remove(namespace.id);
  }
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
