/** One repository's assets, as far as merging looks at them. */
export interface AssetFolder {
  /** Names directly in a folder, sorted; the root is the empty path. Nothing for what is no folder. */
  list(folder: string): readonly string[];
}

/** Which assets a view has, and what lies behind them. Numbers are indexes of the sources. */
export interface MergedAssets {
  assets: { path: string; from: number }[];
  hidden: { path: string; from: number; behind: number }[];
}

/**
 * The union of several repositories, asset by asset, earlier ones first. An asset is a file or folder directly in a
 * folder of the root; names that begin with a dot and readmes of such folders describe a repository and are no assets.
 * Pure; the order of the result follows names alone.
 */
export function mergeAssets(sources: readonly AssetFolder[]): MergedAssets {
  const winners = new Map<string, number>();
  const hidden: MergedAssets["hidden"] = [];
  for (const [from, source] of sources.entries()) {
    for (const path of assetPaths(source)) {
      const behind = winners.get(path);
      if (behind === undefined) winners.set(path, from);
      else hidden.push({ path, from, behind });
    }
  }
  const assets = [...winners].map(([path, from]) => ({ path, from }));
  assets.sort((a, b) => (a.path < b.path ? -1 : 1));
  return { assets, hidden };
}

/** Like `models/water-tank`. */
function assetPaths(source: AssetFolder): string[] {
  return source
    .list("")
    .filter((folder) => !folder.startsWith("."))
    .flatMap((folder) =>
      source
        .list(folder)
        .filter(isAsset)
        .map((name) => `${folder}/${name}`),
    );
}

function isAsset(name: string): boolean {
  return !name.startsWith(".") && !/^readme(\.[a-z]+)?$/i.test(name);
}
