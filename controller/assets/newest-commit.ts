import type { Mirrors } from "./mirrors.ts";
import { runGit } from "./run-git.ts";

/** The commit of the mirror that was made last, of those given; `undefined` of none. */
export async function newestCommit(
  mirrors: Pick<Mirrors, "git" | "path">,
  projectId: number,
  commits: readonly string[],
): Promise<string | undefined> {
  const [first, ...others] = new Set(commits);
  if (others.length === 0) return first;
  const listed = await runGit(mirrors.git, {
    gitDir: mirrors.path(projectId),
    args: ["rev-list", "--no-walk=sorted", "--ignore-missing", "--max-count=1", ...new Set(commits), "--"],
    timeoutMs: 10_000,
    maxOutputBytes: 1024,
  });
  return listed.toString("utf8").trim() || undefined;
}
