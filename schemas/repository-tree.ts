/** A file or folder of a repository at one commit. */
export interface TreeEntry {
  kind: "file" | "folder";
  /** False for folders. */
  executable: boolean;
  /** Id of the content: equal ids, equal content. */
  id: string;
  /** Of a file, where it is known. */
  bytes?: number;
}

/** The files of a repository at one commit, already read. Paths are relative, with `/`; the root is the empty path. */
export interface RepositoryTree {
  entry(path: string): TreeEntry | undefined;
  /** Names of what stands directly in a folder, sorted; nothing for what is no folder. */
  list(folder: string): readonly string[];
}

/** A tree from the paths of its files; the folders between need not be given. */
export function repositoryTree(entries: Iterable<{ path: string } & TreeEntry>): RepositoryTree {
  const byPath = new Map<string, TreeEntry>([["", { kind: "folder", executable: false, id: "" }]]);
  const names = new Map<string, Set<string>>();
  for (const { path, ...entry } of entries) {
    byPath.set(path, entry);
    for (let child = path; child !== ""; ) {
      const slash = child.lastIndexOf("/");
      const parent = slash < 0 ? "" : child.slice(0, slash);
      const siblings = names.get(parent) ?? new Set<string>();
      names.set(parent, siblings);
      const isKnown = siblings.has(child.slice(slash + 1));
      siblings.add(child.slice(slash + 1));
      if (!byPath.has(parent)) byPath.set(parent, { kind: "folder", executable: false, id: "" });
      if (isKnown) break;
      child = parent;
    }
  }
  const sorted = new Map<string, readonly string[]>();
  return {
    entry: (path) => byPath.get(path),
    list: (folder) => {
      const known = sorted.get(folder);
      if (known !== undefined) return known;
      const list = [...(names.get(folder) ?? [])].sort();
      sorted.set(folder, list);
      return list;
    },
  };
}
