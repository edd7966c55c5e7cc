import type { Git } from "../git/git.ts";

export interface CommitStats {
  additions: number;
  deletions: number;
  total: number;
}

/** Lines added and removed against the first parent; files that are no text count nothing. */
export async function commitStats(git: Git, gitDir: string, id: string): Promise<CommitStats> {
  const text = await git.text(gitDir, [
    "show",
    "--format=",
    "--numstat",
    "--diff-merges=first-parent",
    "--end-of-options",
    id,
  ]);
  let additions = 0;
  let deletions = 0;
  for (const line of text.split("\n")) {
    const match = /^(\d+)\t(\d+)\t/.exec(line);
    additions += Number(match?.[1] ?? 0);
    deletions += Number(match?.[2] ?? 0);
  }
  return { additions, deletions, total: additions + deletions };
}
