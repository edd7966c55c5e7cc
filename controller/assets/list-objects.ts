import { maxPathBytes, maxTreeEntries } from "#schemas/tree/tree-limits";
import { type GitEntry, leadsElsewhere, tooMany } from "./git-entry.ts";
import { parseTree, type TreeItem } from "./parse-tree.ts";

/** Where objects come from; one that is missing or of another type is `GitFailed`. */
export interface TreeSource {
  /** The id of the tree of a commit. */
  root(commit: string): Promise<string>;
  /** Tree objects, in the order of their ids. */
  trees(ids: readonly string[]): Promise<Uint8Array[]>;
  /** Bytes of blobs, in the order of their ids. */
  sizes(ids: readonly string[]): Promise<number[]>;
}

/** A listing of another commit of the same repository, made here and without a name that is there twice. */
export interface KnownListing {
  entries: readonly GitEntry[];
  listed(path: string): GitEntry | undefined;
}

const maxDepth = maxPathBytes / 2; // deeper ones are refused for the length of their path

/**
 * Everything in the tree of a commit, parents before children, in the order of Git. A folder that `known` has at the same
 * place with the same content is taken from there, unread, so that a listing costs what has changed. A tree that repeats itself
 * endlessly ends at `maxTreeEntries` with `ActionNeededError("TREE_REFUSED")`, and so does one with a slash in a name, which would
 * look as if it lay in another folder. What cannot be read is `GitFailed`.
 */
export async function listObjects(
  source: TreeSource,
  commit: string,
  known?: KnownListing,
): Promise<GitEntry[]> {
  const root = await source.root(commit);
  const { trees, blobs } = await readChanged(source, root, known);
  const ids = [...blobs];
  const sizes = await source.sizes(ids);
  const bytesOf = new Map(ids.map((id, index) => [id, sizes[index] ?? 0]));
  const placeOf = known && foldersOf(known);
  const entries: GitEntry[] = [];
  const add = (id: string, parent: string): void => {
    for (const item of trees.get(id) ?? []) {
      const path = parent + item.name;
      const before = unchanged(known, path, item);
      const { kind, executable } = item;
      entries.push(before ?? { path, kind, executable, id: item.id, bytes: bytesOf.get(item.id) ?? 0 });
      if (kind === "folder" && before) addKnown(known?.entries ?? [], placeOf?.get(path) ?? 0, entries);
      else if (kind === "folder") add(item.id, `${path}/`);
      if (entries.length > maxTreeEntries) throw tooMany();
    }
  };
  add(root, "");
  return entries;
}

/** Trees that `known` does not have at their place, level by level, and the blobs in them whose size is to be asked. */
async function readChanged(source: TreeSource, root: string, known: KnownListing | undefined) {
  const trees = new Map<string, TreeItem[]>();
  const blobs = new Set<string>();
  let level = [{ id: root, parent: "" }];
  let names = 0;
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > maxDepth) throw tooMany();
    const unread = [...new Set(level.map(({ id }) => id))].filter((id) => !trees.has(id));
    const read = await source.trees(unread);
    for (const [index, id] of unread.entries()) {
      trees.set(id, parseTree(read[index] ?? new Uint8Array(), id.length / 2));
    }
    const next: typeof level = [];
    for (const { id, parent } of level) {
      for (const item of trees.get(id) ?? []) {
        names += 1;
        if (names > maxTreeEntries) throw tooMany();
        const path = parent + item.name;
        if (item.name.includes("/")) throw leadsElsewhere(path);
        if (item.kind === "submodule" || unchanged(known, path, item)) continue;
        if (item.kind === "folder") next.push({ id: item.id, parent: `${path}/` });
        else blobs.add(item.id);
      }
    }
    level = next;
  }
  return { trees, blobs };
}

function unchanged(known: KnownListing | undefined, path: string, item: TreeItem): GitEntry | undefined {
  const before = known?.listed(path);
  const { kind, executable, id } = item;
  return before?.id === id && before.kind === kind && before.executable === executable ? before : undefined;
}

/** Where each folder stands in a listing. */
function foldersOf({ entries }: KnownListing): Map<string, number> {
  const places = new Map<string, number>();
  for (const [index, { kind, path }] of entries.entries()) if (kind === "folder") places.set(path, index);
  return places;
}

/** Adds what lies in the folder that stands at this place: it follows it. */
function addKnown(known: readonly GitEntry[], place: number, entries: GitEntry[]): void {
  const inside = `${known[place]?.path}/`;
  for (let at = place + 1; known[at]?.path.startsWith(inside); at += 1) entries.push(known[at] as GitEntry);
}
