import { ActionNeededError, TryLaterError } from "#core/errors";
import { GitFailed, type GitOptions, runGit } from "../assets/run-git.ts";

const maxCommits = 500; // of history that is looked through for a revision that was live
const deadlineMs = 20_000;
const maxOutputBytes = 1024 * 1024;

/** The mirror of one project. */
export interface History {
  git: GitOptions;
  gitDir: string;
}

/** A commit of the default branch, and the content of one folder there. */
export interface FormerRevision {
  commit: string;
  /** Git's id of the folder; `undefined` where it was not there. */
  folder: string | undefined;
}

/** Commits that the default branch has pointed to, newest first, `head` included. */
export async function formerRevisions(
  history: History,
  head: string,
  folder: string,
): Promise<FormerRevision[]> {
  const args = ["rev-list", "--first-parent", `--max-count=${maxCommits}`, head, "--"];
  const commits = (await ask(history, args)).split("\n").filter(Boolean);
  const input = commits.map((commit) => `${commit}:${folder}\n`).join("");
  const answers = (
    await ask(history, ["cat-file", "--batch-check=%(objectname) %(objecttype)"], input)
  ).split("\n");
  return commits.map((commit, index) => {
    const [, id] = /^([0-9a-f]{40,64}) tree$/.exec(answers[index] ?? "") ?? [];
    return { commit, folder: id };
  });
}

/**
 * The full id of a commit that leads to the head. `ActionNeededError("REVISION_NOT_FOUND")` for one that is not there, is none,
 * or belongs to another branch.
 */
export async function resolveRevision(history: History, head: string, said: string): Promise<string> {
  const notFound = (why: string) =>
    new ActionNeededError("REVISION_NOT_FOUND", `${JSON.stringify(said)} ${why}`, {
      hint: "give a commit id of the default branch, with at least 7 digits",
    });
  if (!/^[0-9a-f]{7,64}$/.test(said)) throw notFound("is not a commit id");
  const found = await ask(
    history,
    ["rev-parse", "--verify", "--quiet", "--end-of-options", `${said}^{commit}`],
    "",
    [1, 128],
  );
  const commit = found.trim();
  if (!/^[0-9a-f]{40,64}$/.test(commit))
    throw notFound("is no commit of this repository, or not the only one that begins so");
  const bases = await ask(history, ["merge-base", commit, head], "", [1]);
  if (bases.trim() !== commit) throw notFound("is no commit that the default branch comes from");
  return commit;
}

async function ask(
  { git, gitDir }: History,
  args: string[],
  input = "",
  answers: readonly number[] = [],
): Promise<string> {
  try {
    const output = await runGit(git, { gitDir, args, input, answers, timeoutMs: deadlineMs, maxOutputBytes });
    return output.toString("utf8");
  } catch (error) {
    if (!(error instanceof GitFailed)) throw error;
    throw new TryLaterError("The history could not be read", { retryAfterMs: 5_000, cause: error });
  }
}
