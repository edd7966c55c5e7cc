import type { ForgeContext } from "../forge-context.ts";
import type { ProjectRecord } from "../store/records.ts";

/** Removes a project: its record first, so that a crash leaves at most files, which the next start clears away. */
export async function deleteProject(context: ForgeContext, project: ProjectRecord): Promise<void> {
  const { store } = context;
  await store.projects.remove(project.id);
  for (const hook of store.hooksByProject.all(String(project.id))) await store.hooks.remove(hook.id);
  for (const member of store.membersBySource.all(`project:${project.id}`)) {
    await store.members.remove(member.id);
  }
  await context.statuses.forget(project.id);
  await context.repositories.remove(project.id);
}
