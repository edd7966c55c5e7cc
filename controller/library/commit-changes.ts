import { ActionNeededError } from "#core/errors";
import type { SerialByKey } from "#core/serial-by-key";
import type { LibraryChange } from "#schemas/library";
import { GitReader } from "../assets/git-reader.ts";
import type { Mirrors } from "../assets/mirrors.ts";
import type { FileAction, Forge, ForgeProject } from "../forge/forge.ts";
import { lastCommits } from "./last-commits.ts";
import { type Change, type ListedTree, type PlannedAction, planChanges } from "./plan-changes.ts";
import type { Repositories } from "./repositories.ts";

const maxAttempts = 3; // pushes that may come between looking and committing

export interface CommitDeps {
  forge: Pick<Forge, "commit" | "project">;
  mirrors: Mirrors;
  repositories: Repositories;
  serial: SerialByKey;
}

export interface CommitWish {
  /** Of the caller: the Git host decides about the right, and the commit is theirs. */
  token: string;
  changes: readonly Change[];
  /** The commit that the caller has looked at. */
  baseCommit?: string;
  /** Files that are there may be replaced without `baseCommit`. */
  replace?: boolean;
  /** Told what is at the head before anything is planned; throws where that is not what the caller expects. */
  expect?: (head: ListedTree) => void;
  /** Made from the files by default. */
  message?: string;
}

const nothing: ListedTree = { listed: () => undefined, entries: [] };

/**
 * Carries out all changes in one commit, or none. The head is asked of the Git host; a push that comes in between is
 * looked at, and what the caller has not seen is a conflict. Errors: those of `planChanges`, `Mirrors.fetch` and
 * `Forge.commit`.
 */
export function commitChanges(
  deps: CommitDeps,
  project: ForgeProject,
  wish: CommitWish,
): Promise<LibraryChange> {
  const { repositories, mirrors } = deps;
  return deps.serial.run(project.path, async () => {
    const treeAt = (commit: string | undefined) =>
      commit === undefined ? nothing : GitReader.open(mirrors, project.id, commit);
    let headCommit = await repositories.fetch(project);
    let base = wish.baseCommit === undefined ? undefined : await treeAt(wish.baseCommit);
    for (let attempt = 1; ; attempt += 1) {
      const head = await treeAt(headCommit);
      wish.expect?.(head);
      const planned = planChanges(head, { changes: wish.changes, base, replace: wish.replace ?? false });
      if (planned.length === 0) return answer(project, headCommit, []);
      try {
        const actions = await withLastCommits(deps, project, headCommit, planned);
        const message = wish.message ?? messageOf(wish.changes);
        const { commit } = await deps.forge.commit(project, { token: wish.token, message, actions });
        await refresh(deps, project, commit);
        return answer(project, commit, planned);
      } catch (error) {
        const isConflict =
          error instanceof ActionNeededError && ["FILE_CHANGED", "COMMIT_REFUSED"].includes(error.code);
        const now = isConflict ? await repositories.fetch(project) : headCommit;
        if (now === headCommit || attempt >= maxAttempts) throw error;
        base ??= head; // what was seen a moment ago must still be so
        headCommit = now;
      }
    }
  });
}

async function withLastCommits(
  deps: CommitDeps,
  project: ForgeProject,
  head: string | undefined,
  planned: readonly PlannedAction[],
): Promise<FileAction[]> {
  const repository = { git: deps.mirrors.git, gitDir: deps.mirrors.path(project.id) };
  const touched = planned.flatMap((action) => touchedFile(action) ?? []);
  const last = head === undefined ? new Map<string, string>() : await lastCommits(repository, head, touched);
  return planned.map(
    (action): FileAction =>
      action.action === "create" || action.action === "chmod"
        ? action
        : { ...action, lastCommit: last.get(touchedFile(action) ?? "") ?? "" },
  );
}

/** The file that has to be as it was. */
function touchedFile(action: PlannedAction): string | undefined {
  if (action.action === "move") return action.from;
  return action.action === "update" || action.action === "delete" ? action.path : undefined;
}

/** The caller reads what was written at once. That the commit was made stands fast, whatever happens here. */
async function refresh(deps: CommitDeps, project: ForgeProject, commit: string): Promise<void> {
  try {
    const known = project.defaultBranch ? project : await deps.forge.project(project.path);
    if (known) await deps.repositories.fetch(known, commit);
  } catch {
    // the webhook of this commit brings it
  }
}

function answer(
  project: ForgeProject,
  commit: string | undefined,
  planned: readonly PlannedAction[],
): LibraryChange {
  const files = planned.map((one) => ({
    path: one.path,
    action: one.action,
    ...(one.action === "move" ? { from: one.from } : {}),
  }));
  return { repository: project.path, changed: files.length > 0, commit: commit ?? null, files };
}

function messageOf(changes: readonly Change[]): string {
  const [first] = changes;
  if (first === undefined || changes.length > 1) return `Change ${changes.length} files of the library`;
  if (first.action === "move") return `Move ${first.from} to ${first.to}`;
  return `${first.action === "write" ? "Write" : "Delete"} ${first.path}`;
}
