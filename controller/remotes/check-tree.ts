import { isUtf8 } from "node:buffer";
import { ActionNeededError } from "#core/errors";
import { checkLinks, checkListing } from "#schemas/tree/check-listing";
import { maxPathBytes } from "#schemas/tree/tree-limits";
import type { GitEntry } from "../assets/git-entry.ts";
import { listTree } from "../assets/list-tree.ts";
import { readBlobs } from "../assets/read-blobs.ts";
import type { GitOptions } from "../assets/run-git.ts";

const deadlineMs = 60_000;

// What decides about the user's own rights and secrets is not for others to change: a remote could give itself away
// more than was given to it.
const ownFiles = ["workspace.yaml", ".gitlab-ci.yml"];

/**
 * Throws for a tree that the platform would refuse to check out, which would stop every twin of the user from being
 * updated (`TREE_REFUSED`), and for one that changes the user's own settings (`REMOTE_CHANGES_SETTINGS`).
 */
export async function checkTree(
  repository: { git: GitOptions; gitDir: string },
  tree: { before: string; after: string },
  signal: AbortSignal,
): Promise<void> {
  const after = await listTree(repository, tree.after, signal);
  const before = await listTree(repository, tree.before, signal);
  for (const path of ownFiles) {
    if (idAt(before, path) === idAt(after, path)) continue;
    throw new ActionNeededError(
      "REMOTE_CHANGES_SETTINGS",
      `The remote changes ${path}, which is yours to change`,
      {
        where: { file: path },
        hint: "Merge that change with git; the next pull brings the rest.",
      },
    );
  }
  const links = after.filter(({ kind, bytes }) => kind === "link" && bytes <= maxPathBytes);
  const targets = new Map<string, string>();
  const contents = new Map<string, Buffer>();
  await readBlobs(
    repository,
    [...new Set(links.map(({ id }) => id))],
    async (id, blob) => void contents.set(id, await blob.all()),
    AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]),
  );
  for (const { path, id } of links) {
    const target = contents.get(id);
    if (target && isUtf8(target)) targets.set(path, target.toString("utf8"));
  }
  const [problem] = [...checkListing(after), ...checkLinks(after, targets)];
  if (problem === undefined) return;
  throw new ActionNeededError("TREE_REFUSED", `${problem.path || "The remote"}: ${problem.message}`, {
    where: problem.path === "" ? {} : { file: problem.path },
    hint: problem.hint,
  });
}

function idAt(entries: readonly GitEntry[], path: string): string | undefined {
  return entries.find((entry) => entry.path === path)?.id;
}
