import { ActionNeededError, messageOf } from "#core/errors";
import { GitReader } from "../assets/git-reader.ts";
import type { ReconcileDeps } from "../reconcile/reconcile-project.ts";
import { brokenSharedStatus, type SharedAtHead, sharedStatus } from "./shared-status.ts";

/**
 * Tells at the head of each of the platform's shared repositories what is seen of it; a push to one may change what is
 * hidden in those behind it. Only differences to what this process told last are sent. Never throws: it is a remark.
 */
export async function reportShared(deps: ReconcileDeps, told: Map<string, string>): Promise<void> {
  const shared: SharedAtHead[number][] = [];
  const heads: { project: string; commit: string; problem?: string }[] = [];
  try {
    for (const { project: path } of deps.tracked.sharedWishes) {
      const project = deps.tracked.project(path);
      const commit = project && (await deps.mirrors.head(project));
      if (!project || commit === undefined) continue;
      try {
        const tree = await GitReader.open(deps.mirrors, project.id, commit);
        await deps.snapshots.ensure(project, commit);
        shared.push({ project: path, tree });
        heads.push({ project: path, commit });
      } catch (error) {
        if (!(error instanceof ActionNeededError)) throw error;
        heads.push({ project: path, commit, problem: messageOf(error) });
      }
    }
    for (const { project: path, commit, problem } of heads) {
      const status = problem === undefined ? sharedStatus(path, shared) : brokenSharedStatus(problem);
      const key = `${commit} ${status.description}`;
      const project = deps.tracked.project(path);
      if (!project || told.get(path) === key) continue;
      await deps.forge.setStatus(project, { commit, ref: project.defaultBranch ?? "main", ...status });
      told.set(path, key);
    }
  } catch (error) {
    deps.logger.warn({ err: messageOf(error) }, "the status of shared repositories could not be reported");
  }
}
