import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { type DataFolder, snapshotPath } from "#core/data-folder";
import { isSystemError } from "#core/errors";
import { mergedTree } from "#planning/merged-tree";
import type { View } from "#schemas/desired-state";
import type { RepositoryTree, TreeEntry } from "#schemas/repository-tree";

/** What /workspace/common shows of a view, read from its snapshots. */
export function sharedTree(data: DataFolder, view: View): RepositoryTree {
  const sources = view.sources.map(({ project, commit, folder }) => ({
    tree: snapshotTree(snapshotPath(data, project, commit)),
    ...(folder === undefined ? {} : { folder }),
  }));
  return mergedTree(sources, view.assets);
}

/** Snapshots are immutable and their links stay inside, so links are followed. Contents have no ids here. */
function snapshotTree(root: string): RepositoryTree {
  return {
    entry(path): TreeEntry | undefined {
      const found = unlessMissing(() => statSync(join(root, path)));
      if (!found) return undefined;
      if (!found.isFile()) return { kind: "folder", executable: false, id: "" };
      return { kind: "file", executable: (found.mode & 0o111) !== 0, id: "", bytes: found.size };
    },
    list: (folder) => unlessMissing(() => readdirSync(join(root, folder)).sort()) ?? [],
  };
}

function unlessMissing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isSystemError(error, "ENOENT") || isSystemError(error, "ENOTDIR")) return undefined;
    throw error;
  }
}
