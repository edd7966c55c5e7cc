import { mergeAssets } from "#planning/merge-assets";
import { type MergedSource, mergedTree, subtree } from "#planning/merged-tree";
import type { View, ViewSource } from "#schemas/desired-state";
import type { RepositoryTree } from "#schemas/repository-tree";

/** One source of a view with its tree. */
export interface ViewPart {
  pinned: ViewSource;
  tree: RepositoryTree;
}

/**
 * What a user sees at /workspace/common: the user's own `common/` folder first, if there is one, then shared
 * repositories in their order. Pure.
 */
export function assetList(
  own: ViewPart,
  shared: readonly ViewPart[],
  problems: View["problems"],
): { view: View; tree: RepositoryTree } {
  const hasCommon = own.tree.entry("common")?.kind === "folder";
  const ownCommon: ViewPart = { pinned: { ...own.pinned, folder: "common" }, tree: own.tree };
  const parts = [...(hasCommon ? [ownCommon] : []), ...shared];
  const sources = parts.map(
    ({ pinned, tree }): MergedSource =>
      pinned.folder === undefined ? { tree } : { tree, folder: pinned.folder },
  );
  const trees = sources.map(subtree);
  const { assets, hidden } = mergeAssets(trees);
  return {
    tree: mergedTree(sources, assets),
    view: {
      sources: parts.map(({ pinned }) => pinned),
      assets: assets.map(({ path, from }) => ({ path, from, id: trees[from]?.entry(path)?.id ?? "" })),
      hidden,
      problems: [...problems],
    },
  };
}

/** Shared projects that give the assets a twin declares, each once. Pure. */
export function assetProjects(view: View, declared: readonly { path: string }[]): string[] {
  const projects = declared.flatMap(({ path }) => {
    if (!path.startsWith("common/")) return [];
    const asset = path.split("/").slice(1, 3).join("/");
    const from = view.assets.find((candidate) => candidate.path === asset)?.from;
    const source = from === undefined ? undefined : view.sources[from];
    return source && source.folder === undefined ? [source.project] : [];
  });
  return [...new Set(projects)].sort();
}
