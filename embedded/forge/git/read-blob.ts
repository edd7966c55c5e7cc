import type { Git } from "./git.ts";

const maxBytes = 16 * 1024 * 1024; // a larger file has no lines that people talk about

/** A file's text at a commit; `undefined` where there is no such file, or one that is too large. */
export async function readBlob(
  git: Git,
  gitDir: string,
  commit: string,
  path: string,
): Promise<string | undefined> {
  const args = ["cat-file", "blob", `${commit}:${path}`];
  const environment = { GIT_ALLOC_LIMIT: "64m" };
  const result = await git.run(gitDir, args, { maxOutputBytes: maxBytes, cut: true, environment });
  return result.code === 0 && !result.isCut ? result.stdout.toString("utf8") : undefined;
}
