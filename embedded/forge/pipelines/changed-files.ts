import type { ForgeContext } from "../forge-context.ts";

const maxChangedBytes = 1024 * 1024; // names of changed files; beyond, every `rules:changes` holds

/** Paths that differ between two commits; `undefined` where they are too many, or git does not know the commits. */
export async function changedFiles(
  context: ForgeContext,
  gitDir: string,
  before: string,
  after: string,
): Promise<string[] | undefined> {
  const result = await context.git.run(
    gitDir,
    ["diff", "--name-only", "-z", "--no-renames", "--end-of-options", before, after, "--"],
    { maxOutputBytes: maxChangedBytes, cut: true },
  );
  if (result.code !== 0 || result.isCut) return undefined;
  return result.stdout
    .toString("utf8")
    .split("\0")
    .filter((path) => path !== "" && !path.includes("\n"));
}
