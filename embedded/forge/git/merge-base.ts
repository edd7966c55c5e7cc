import type { Git } from "./git.ts";

/** The best common ancestor; `undefined` for histories that have nothing in common. */
export async function mergeBase(
  git: Git,
  gitDir: string,
  ids: readonly string[],
): Promise<string | undefined> {
  const found = await git.run(gitDir, ["merge-base", ...ids]);
  if (found.code > 1) throw new Error(`git merge-base failed: ${found.stderr.trim()}`);
  return found.stdout.toString("utf8").trim().slice(0, 40) || undefined;
}

/** True when `descendant` holds `ancestor`, also when they are the same. */
export async function isAncestor(
  git: Git,
  gitDir: string,
  ancestor: string,
  descendant: string,
): Promise<boolean> {
  if (ancestor === descendant) return true;
  return (await git.run(gitDir, ["merge-base", "--is-ancestor", ancestor, descendant])).code === 0;
}
