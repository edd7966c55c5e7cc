import type { RepositoryTree } from "#schemas/repository-tree";
import type { TreeIds } from "./source-key.ts";

/** Documents of ordinary size are read together; larger or further ones are read one by one when they are validated. */
export const preloadBytes = 16 * 1024;
const preloadDocuments = 1_000;

/** What validation will read, so that it is fetched together. */
export function documentPaths(tree: Pick<RepositoryTree, "list">): string[] {
  const twins = tree.list("digital_twins").slice(0, preloadDocuments);
  return ["workspace.yaml", ...twins.map((name) => `digital_twins/${name}/dt.yaml`)];
}

/** A tree as source keys are made from it. */
export function treeIds(tree: RepositoryTree): TreeIds {
  return {
    id: (path) => tree.entry(path)?.id,
    list: (folder) =>
      tree.list(folder).flatMap((name) => {
        const path = `${folder}/${name}`;
        const entry = tree.entry(path);
        return entry ? [{ path, id: entry.id, executable: entry.executable }] : [];
      }),
  };
}
