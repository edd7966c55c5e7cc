import pLimit from "p-limit";
import { TryLaterError } from "#core/errors";
import { GitFailed, type GitOptions, runGit } from "../assets/run-git.ts";

const atOnce = 4; // git processes; each walks back to where its file was touched last
const deadlineMs = 20_000;

/**
 * The commit that touched each path last, as seen from `head`: what a Git host compares with before it changes a file.
 * Read from the mirror. `TryLaterError` when a history is too long to be walked in time.
 */
export async function lastCommits(
  repository: { git: GitOptions; gitDir: string },
  head: string,
  paths: Iterable<string>,
): Promise<Map<string, string>> {
  const limit = pLimit(atOnce);
  try {
    const found = await limit.map([...new Set(paths)], async (path) => {
      const args = ["log", "--max-count=1", "--format=%H", head, "--", `:(top,literal)${path}`];
      const call = { gitDir: repository.gitDir, args, timeoutMs: deadlineMs, maxOutputBytes: 4096 };
      return [path, (await runGit(repository.git, call)).toString("latin1").trim()] as const;
    });
    return new Map(found);
  } catch (error) {
    limit.clearQueue();
    if (!(error instanceof GitFailed)) throw error;
    throw new TryLaterError("The history could not be read in time", { retryAfterMs: 5_000, cause: error });
  }
}
