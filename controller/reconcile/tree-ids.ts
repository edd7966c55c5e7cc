import type { RepositoryTree } from "#schemas/repository-tree";
import type { TreeIds } from "./source-key.ts";

/** What a source key needs to know of a tree. */
export function treeIds(reader: RepositoryTree): TreeIds {
  return {
    id: (path) => reader.entry(path)?.id,
    list: (folder) =>
      reader.list(folder).flatMap((name) => {
        const path = `${folder}/${name}`;
        const entry = reader.entry(path);
        return entry ? [{ path, id: entry.id, executable: entry.executable }] : [];
      }),
  };
}
