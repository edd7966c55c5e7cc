import { ActionNeededError } from "#core/errors";
import type { Rollback } from "#schemas/api";
import { GitReader } from "../assets/git-reader.ts";
import type { Mirrors } from "../assets/mirrors.ts";
import type { Forge, ForgeProject } from "../forge/forge.ts";
import { lastCommits } from "../library/last-commits.ts";
import { type FormerRevision, formerRevisions, resolveRevision } from "./former-revisions.ts";
import { maxRestoredBytes, restoreFolder, withContents } from "./restore-folder.ts";

const maxAttempts = 3; // a push may come between looking and committing
const maxAskedRevisions = 60; // each costs a question to the Git host

export interface RollbackDeps {
  forge: Pick<Forge, "gitAccess" | "commit" | "listStatuses" | "mergeRequests">;
  mirrors: Mirrors;
  /** Tells the worker that the default branch has moved. */
  nudgeProject(path: string, head: string): void;
}

export interface RollbackWish {
  user: string;
  twin: string;
  /** A commit of the default branch; the last one that was live and differs from today, where it is absent. */
  revision?: string;
  /** As a proposal for others to merge. */
  asMergeRequest: boolean;
}

/**
 * Makes a twin's folder as it was at a former revision: a commit on the default branch with the caller's own token, or a merge
 * request where that is wished for or the branch is protected. Since Git says so, it stays so. Errors: `REVISION_NOT_FOUND`,
 * `TWIN_NOT_IN_REVISION`, `ROLLBACK_NOTHING`, `ROLLBACK_UNKNOWN`, those of `restoreFolder` and of the forge.
 */
export async function rollbackTwin(
  deps: RollbackDeps,
  wish: RollbackWish,
  caller: { token: string; project: ForgeProject },
): Promise<Rollback> {
  const { forge, mirrors } = deps;
  const { project, token } = caller;
  const folder = `digital_twins/${wish.twin}`;
  for (let attempt = 1; ; attempt += 1) {
    const head = await mirrors.fetch(project, forge.gitAccess(project));
    if (head === undefined) {
      throw new ActionNeededError("REPOSITORY_EMPTY", `${project.path} has no commit yet`);
    }
    const to = await revisionOf(deps, project, head, wish);
    const actions = await actionsFor(mirrors, project, { head, to, folder });
    if (actions.length === 0) throw nothingToDo(wish, to);
    const commit = { token, message: messageFor(wish, to), actions };
    const branch = `dtaas/rollback-${wish.twin}-${to.slice(0, 8)}`;
    const done = { user: wish.user, twin: wish.twin, from: head, to, files: actions.length };
    try {
      if (!wish.asMergeRequest) {
        const made = await commitUnlessProtected(deps, project, commit);
        if (made !== undefined) {
          deps.nudgeProject(project.path, made);
          return { ...done, commit: made, branch: project.defaultBranch ?? "main", mergeRequest: null };
        }
      }
      return { ...done, ...(await propose(deps, project, { ...commit, newBranch: branch })) };
    } catch (error) {
      const isMoved = error instanceof ActionNeededError && error.code === "FILE_CHANGED";
      if (!isMoved || attempt >= maxAttempts) throw error;
    }
  }
}

type Commit = Parameters<Forge["commit"]>[1];

/** `undefined` where the caller may not push to the default branch. */
async function commitUnlessProtected(
  { forge }: RollbackDeps,
  project: ForgeProject,
  commit: Commit,
): Promise<string | undefined> {
  try {
    return (await forge.commit(project, commit)).commit;
  } catch (error) {
    if (error instanceof ActionNeededError && error.code === "FORGE_FORBIDDEN") return undefined;
    throw error;
  }
}

async function propose(
  { forge }: RollbackDeps,
  project: ForgeProject,
  commit: Commit & { newBranch: string },
): Promise<Pick<Rollback, "commit" | "branch" | "mergeRequest">> {
  const [title = "", , ...description] = commit.message.split("\n");
  let made: string | null = null;
  try {
    made = (await forge.commit(project, commit)).commit;
  } catch (error) {
    // Asked for before: the branch is there, and perhaps its merge request.
    const isThere = error instanceof ActionNeededError && error.code === "COMMIT_REFUSED";
    const open = isThere ? await findOpen(forge, project, commit.newBranch) : undefined;
    if (!open) throw error;
    return { commit: open.head, branch: commit.newBranch, mergeRequest: { iid: open.iid, url: open.webUrl } };
  }
  const wanted = {
    token: commit.token,
    sourceBranch: commit.newBranch,
    title,
    description: description.join("\n"),
  };
  const { iid, webUrl: url } = await forge.mergeRequests.create(project, wanted);
  return { commit: made, branch: commit.newBranch, mergeRequest: { iid, url } };
}

async function findOpen(forge: Pick<Forge, "mergeRequests">, project: ForgeProject, branch: string) {
  const open = await forge.mergeRequests.listOpen({ project: project.path });
  return open.find(({ sourceBranch, fromFork }) => sourceBranch === branch && !fromFork);
}

async function actionsFor(
  mirrors: Mirrors,
  project: ForgeProject,
  { head, to, folder }: { head: string; to: string; folder: string },
) {
  const [now, then] = await Promise.all([
    GitReader.open(mirrors, project.id, head),
    GitReader.open(mirrors, project.id, to),
  ]);
  if (then.listed(folder)?.kind !== "folder") {
    throw new ActionNeededError("TWIN_NOT_IN_REVISION", `${to.slice(0, 8)} has no ${folder}`, {
      where: { file: folder },
      hint: `see when it was there: git log -- ${folder}`,
    });
  }
  const actions = restoreFolder(now, then, folder);
  const restored = actions.flatMap((action) => ("id" in action ? [action.path] : []));
  const touched = actions.flatMap(({ action, path }) =>
    action === "update" || action === "delete" ? [path] : [],
  );
  return withContents(actions, {
    contents: await then.readAll(restored, maxRestoredBytes),
    lastCommits: await lastCommits({ git: mirrors.git, gitDir: mirrors.path(project.id) }, head, touched),
  });
}

async function revisionOf(
  deps: RollbackDeps,
  project: ForgeProject,
  head: string,
  { twin, revision }: RollbackWish,
): Promise<string> {
  const { mirrors } = deps;
  const history = { git: mirrors.git, gitDir: mirrors.path(project.id) };
  if (revision !== undefined) return await resolveRevision(history, head, revision);
  const [now, ...former] = await formerRevisions(history, head, `digital_twins/${twin}`);
  // Between two pushes only the last commit has a status: all commits are candidates, each with its folder.
  const candidates = former.filter(({ folder }) => folder !== undefined && folder !== now?.folder);
  for (const { commit } of candidates.slice(0, maxAskedRevisions)) {
    if (await wasLive(deps, project, commit, twin)) return commit;
  }
  throw unknown(twin, candidates);
}

/** The commit status says how far the platform came with it. */
async function wasLive(
  { forge }: RollbackDeps,
  project: ForgeProject,
  commit: string,
  twin: string,
): Promise<boolean> {
  const statuses = await forge.listStatuses(project, commit);
  return statuses.some(({ name, state }) => name === `dtaas/${twin}` && state === "success");
}

function unknown(twin: string, candidates: readonly FormerRevision[]): ActionNeededError {
  const none = candidates.length === 0;
  const message = none
    ? `digital_twins/${twin} has never been another: there is nothing to roll back to`
    : `no former revision of digital_twins/${twin} is known to have been live`;
  return new ActionNeededError(none ? "ROLLBACK_NOTHING" : "ROLLBACK_UNKNOWN", message, {
    ...(none ? {} : { hint: `name one: git log -- digital_twins/${twin}` }),
  });
}

function nothingToDo({ twin }: RollbackWish, to: string): ActionNeededError {
  return new ActionNeededError(
    "ROLLBACK_NOTHING",
    `digital_twins/${twin} is as it was at ${to.slice(0, 8)} already`,
  );
}

function messageFor({ user, twin }: RollbackWish, to: string): string {
  return `Roll back digital twin ${twin} to ${to.slice(0, 8)}\n\nMakes digital_twins/${twin} of ${user} as it was at ${to}.\n`;
}
