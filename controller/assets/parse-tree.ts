import { isUtf8 } from "node:buffer";
import { type GitEntry, kindOfMode, noUtf8 } from "./git-entry.ts";
import { GitFailed } from "./run-git.ts";

/** One entry of a tree object. */
export interface TreeItem extends Pick<GitEntry, "kind" | "executable" | "id"> {
  name: string;
}

/**
 * The entries of a tree object, in their order: mode, blank, name, NUL, id. `ActionNeededError("TREE_REFUSED")` for a name that
 * is no UTF-8, `GitFailed` for a tree that ends in the middle.
 */
export function parseTree(tree: Uint8Array, idBytes: number): TreeItem[] {
  const bytes = Buffer.from(tree.buffer, tree.byteOffset, tree.byteLength);
  const items: TreeItem[] = [];
  for (let at = 0; at < bytes.length; ) {
    const blank = bytes.indexOf(32, at);
    const end = bytes.indexOf(0, blank);
    if (blank < 0 || end < 0 || end + 1 + idBytes > bytes.length)
      throw new GitFailed("a tree is torn", "exit");
    const mode = bytes.toString("latin1", at, blank).padStart(6, "0");
    const name = bytes.subarray(blank + 1, end);
    if (!isUtf8(name)) throw noUtf8(name);
    at = end + 1 + idBytes;
    items.push({
      name: name.toString("utf8"),
      kind: kindOfMode(mode),
      executable: mode === "100755",
      id: bytes.toString("hex", end + 1, at),
    });
  }
  return items;
}
