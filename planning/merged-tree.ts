import type { RepositoryTree, TreeEntry } from "#schemas/repository-tree";
import { digest } from "./keys.ts";

/** A repository as one source of a merged tree; `folder`: only what lies below it counts. */
export interface MergedSource {
  tree: RepositoryTree;
  folder?: string;
}

/** What /workspace/common shows, as one tree. Each asset comes whole from one source. Pure. */
export function mergedTree(
  sources: readonly MergedSource[],
  assets: readonly { path: string; from: number }[],
): RepositoryTree {
  const from = new Map(assets.map((asset) => [asset.path, asset.from]));
  const names = new Map<string, string[]>();
  for (const { path } of assets) {
    const [folder = "", name = ""] = path.split("/");
    const known = names.get(folder);
    if (known) known.push(name);
    else names.set(folder, [name]);
  }
  for (const list of names.values()) list.sort();

  const place = (path: string) => {
    const source = sources[from.get(path.split("/").slice(0, 2).join("/")) ?? -1];
    return source && { tree: source.tree, path: below(source.folder, path) };
  };
  const entry = (path: string): TreeEntry | undefined => {
    const found = place(path);
    if (found) return found.tree.entry(found.path);
    if (path !== "" && !names.has(path)) return undefined;
    const children = path === "" ? [...names.keys()].sort() : (names.get(path) ?? []);
    const ids = children.map((name) => `${name} ${entry(path === "" ? name : `${path}/${name}`)?.id}`);
    return { kind: "folder", executable: false, id: digest("merged", ...ids) };
  };
  return {
    entry,
    list(folder) {
      const found = place(folder);
      if (found) return found.tree.list(found.path);
      return folder === "" ? [...names.keys()].sort() : (names.get(folder) ?? []);
    },
  };
}

/** A part of a repository as a tree of its own. */
export function subtree({ tree, folder }: MergedSource): RepositoryTree {
  if (folder === undefined) return tree;
  return {
    entry: (path) => tree.entry(below(folder, path)),
    list: (path) => tree.list(below(folder, path)),
  };
}

function below(folder: string | undefined, path: string): string {
  if (folder === undefined) return path;
  return path === "" ? folder : `${folder}/${path}`;
}
