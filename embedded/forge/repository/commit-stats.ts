import type { GitCommit } from "../git/commit.ts";
import { emptyTree } from "../git/empty-tree.ts";
import type { Git } from "../git/git.ts";
import { runBounded } from "../git/run-bounded.ts";

const deadlineMs = 10_000;
const maxOutputBytes = 8 * 1024 * 1024; // about 100,000 files

export interface CommitStats {
  additions: number;
  deletions: number;
  total: number;
}

/** Lines added and removed against the first parent; files that are no text count nothing, nor do far too many files. */
export async function commitStats(git: Git, gitDir: string, commit: GitCommit): Promise<CommitStats> {
  const [parent] = commit.parents;
  const args = [
    "show",
    "--format=",
    "--numstat",
    "--diff-merges=first-parent",
    "--end-of-options",
    commit.id,
  ];
  const compared = [[parent ?? emptyTree, commit.id]] as const;
  const shown = await runBounded(git, gitDir, args, { compared, deadlineMs, maxOutputBytes, cut: true });
  const text = shown?.stdout.toString("utf8") ?? "";
  let additions = 0;
  let deletions = 0;
  for (const line of text.split("\n")) {
    const match = /^(\d+)\t(\d+)\t/.exec(line);
    additions += Number(match?.[1] ?? 0);
    deletions += Number(match?.[2] ?? 0);
  }
  return { additions, deletions, total: additions + deletions };
}
