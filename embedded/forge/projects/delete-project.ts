import type { ForgeContext } from "../forge-context.ts";
import { forgetMergeRequest, removeNote } from "../merge-requests/delete-merge-request.ts";
import { forgetCiOf } from "../pipelines/forget-pipeline.ts";
import { botsOf, removeBot } from "../project-tokens/project-token.ts";
import type { ProjectRecord } from "../store/records.ts";
import { announceProject } from "../system-hooks/announce-project.ts";

/** Removes a project: its record first, so that a crash leaves at most files, which the next start clears away. */
export async function deleteProject(context: ForgeContext, project: ProjectRecord): Promise<void> {
  const { store } = context;
  await store.projects.remove(project.id);
  for (const hook of store.hooksByProject.all(String(project.id))) await store.hooks.remove(hook.id);
  for (const member of store.membersBySource.all(`project:${project.id}`)) {
    await store.members.remove(member.id);
  }
  for (const token of store.deployTokensBySource.all(`project:${project.id}`)) {
    await store.deployTokens.remove(token.id);
  }
  for (const variable of store.variablesBySource.all(`project:${project.id}`)) {
    await store.variables.remove(variable.id);
  }
  for (const mergeRequest of store.mergeRequestsByProject.all(String(project.id))) {
    await forgetMergeRequest(context, mergeRequest);
  }
  for (const note of store.notes.all()) if (note.projectId === project.id) await removeNote(context, note.id);
  for (const label of store.labelsByProject.all(String(project.id))) await store.labels.remove(label.id);
  for (const bot of botsOf(context, project.id)) await removeBot(context, bot);
  await forgetCiOf(context, project.id);
  await context.statuses.forget(project.id);
  await context.repositories.remove(project.id);
  announceProject(context, "destroy", project);
}
