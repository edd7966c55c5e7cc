import type { DesiredState, View } from "#schemas/desired-state";
import { maxDocumentBytes } from "#schemas/limits";
import { parseWorkspace } from "#schemas/parse-workspace";
import type { RepositoryTree } from "#schemas/repository-tree";
import type { GitReader } from "../assets/git-reader.ts";
import type { ForgeProject } from "../forge/forge.ts";
import { assetList } from "./asset-list.ts";
import { openShared, type SharedDeps, sharedWishes } from "./shared-repositories.ts";

const workspaceFile = "workspace.yaml";
const nothing: RepositoryTree = { entry: () => undefined, list: () => [] };

export interface UserRepository {
  user: string;
  project: ForgeProject;
  /** At its head; `undefined` for one that cannot be read: the user's own `common/` is left out then. */
  own: GitReader | undefined;
}

/** What one user sees at /workspace/common now; every snapshot of a shared repository in it is on disk. */
export async function readView(
  deps: SharedDeps,
  { user, project, own }: UserRepository,
  before: DesiredState | undefined,
): Promise<{ view: View; tree: RepositoryTree }> {
  if (own) await noteListed(deps, user, own);
  const wishes = sharedWishes(deps.tracked, project.path, deps.tracked.listedBy(user));
  const { parts, problems } = await openShared(deps, user, wishes, before);
  const pinned = { project: project.path, commit: own?.commit ?? "" };
  return assetList({ pinned, tree: own ?? nothing }, parts, problems);
}

/** The list in workspace.yaml counts from now on; one that is broken leaves the last good one. */
async function noteListed(deps: SharedDeps, user: string, own: GitReader): Promise<void> {
  const bytes = own.entry(workspaceFile)?.bytes ?? 0;
  if (bytes > maxDocumentBytes) return;
  const text = await own.read(workspaceFile, maxDocumentBytes);
  if (text === undefined) return await deps.tracked.noteListed(user, []);
  const { document } = parseWorkspace(text, { file: workspaceFile });
  if (document) await deps.tracked.noteListed(user, document.shared);
}
