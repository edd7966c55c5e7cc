import type { Git, GitResult, GitRun } from "./git.ts";

// git holds the names of all files it compares in one block. A few trees that repeat each other can name more files than
// any memory holds: with a block of at most this many bytes git gives up at about 200,000 files.
const tightBlock = "2m";
const looseBlock = "256m"; // for one file's content, once it is certain that there are not too many files
const guardDeadlineMs = 10_000;
const bigFile = "core.bigFileThreshold=32m"; // larger files are bytes: nobody reads their difference

/**
 * Runs a command that compares trees without letting hostile ones use up the memory. `compared` names the pairs of trees or
 * commits it looks at. `undefined` where they differ in too many files. Codes above 1 are failures of git.
 */
export async function runBounded(
  git: Git,
  gitDir: string,
  args: readonly string[],
  options: GitRun & { compared: readonly (readonly [string, string])[] },
): Promise<GitResult | undefined> {
  const { compared, ...run } = options;
  const limited = (block: string) =>
    git.run(gitDir, ["-c", bigFile, ...args], {
      ...run,
      isComparison: true,
      environment: { ...run.environment, GIT_ALLOC_LIMIT: block },
    });
  const first = await limited(tightBlock);
  if (first.isCut || first.code <= 1) return first;
  // A large file, or too many files? Listing them reads no file.
  for (const [from, to] of compared) {
    const listed = await git.run(gitDir, ["diff-tree", "-r", "-s", "--no-renames", from, to, "--"], {
      environment: { GIT_ALLOC_LIMIT: tightBlock },
      deadlineMs: guardDeadlineMs,
      isComparison: true,
      cut: true,
    });
    if (listed.code !== 0) return undefined;
  }
  return await limited(looseBlock);
}
