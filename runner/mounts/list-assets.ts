import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { isSystemError } from "#core/errors";
import type { AssetFolder } from "#planning/merge-assets";

/**
 * A snapshot as merging looks at it: what the controller listed from Git at this commit, read from the disk. Snapshots
 * are immutable and their links stay inside, so links are followed.
 */
export function assetFolder(root: string): AssetFolder {
  return {
    list(folder) {
      try {
        return statSync(join(root, folder)).isDirectory() ? readdirSync(join(root, folder)).sort() : [];
      } catch (error) {
        if (isSystemError(error, "ENOENT") || isSystemError(error, "ENOTDIR")) return [];
        throw error;
      }
    },
  };
}
