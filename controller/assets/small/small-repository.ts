import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import isomorphicGit, { type PromiseFsClient } from "isomorphic-git";
import type { GitEntry } from "../git-entry.ts";
import { type KnownListing, listObjects, type TreeSource } from "../list-objects.ts";
import { GitFailed } from "../run-git.ts";
import { checkPack } from "./check-pack.ts";
import { memoryDisk } from "./memory-disk.ts";
import { maxSmallObjects, maxSmallPackBytes, maxSmallUnpackedBytes } from "./small-limits.ts";

const maxHeldBytes = 2 * maxSmallPackBytes; // an index of few objects is small as well
const objectsPerTurn = 50; // then everybody else has their turn: nothing below waits for the disk

/**
 * A mirror that is small enough to be read in this process, held in memory with all its packs; what isomorphic-git then
 * does not find, or cannot read, is `GitFailed`, as when git had been asked.
 */
export class SmallRepository {
  /** Bytes held. */
  readonly bytes: number;
  /** Packs and their indexes by full path. */
  readonly files: ReadonlyMap<string, Buffer>;
  readonly #unpackedBytes: number;
  readonly #source: { fs: PromiseFsClient; gitdir: string; cache: object };
  #objectsRead = 0;

  private constructor(mirror: string, files: ReadonlyMap<string, Buffer>, unpackedBytes: number) {
    this.files = files;
    this.bytes = [...files.values()].reduce((sum, file) => sum + file.length, 0);
    this.#unpackedBytes = unpackedBytes;
    this.#source = { fs: memoryDisk(files), gitdir: mirror, cache: {} };
  }

  /** One that was made just now. */
  static empty(mirror: string): SmallRepository {
    return new SmallRepository(mirror, new Map(), 0);
  }

  /** `undefined` for a mirror that is not small, or whose packs become large once they are unpacked. */
  static async open(mirror: string): Promise<SmallRepository | undefined> {
    const folder = join(mirror, "objects", "pack");
    const names = (await readdir(folder).catch(() => [])).filter((name) =>
      /^pack-.+\.(pack|idx)$/.test(name),
    );
    let bytes = 0;
    for (const name of names) {
      bytes += (await stat(join(folder, name)).catch(() => undefined))?.size ?? 0;
      if (bytes > maxHeldBytes) return undefined;
    }
    const files = new Map<string, Buffer>();
    let unpacked = 0;
    try {
      for (const name of names) {
        const content = await readFile(join(folder, name));
        files.set(join(folder, name), content);
        if (!name.endsWith(".pack")) continue;
        const maxUnpackedBytes = maxSmallUnpackedBytes - unpacked;
        unpacked += checkPack(content, { maxObjects: maxSmallObjects, maxUnpackedBytes }).unpackedBytes;
      }
    } catch {
      return undefined; // not small, or on the way to be replaced: git sees
    }
    return new SmallRepository(mirror, files, unpacked);
  }

  /** The same with one more pack, whose unpacked bytes are known; `undefined` when it is no longer small. */
  plus(files: ReadonlyMap<string, Buffer>, unpackedBytes: number): SmallRepository | undefined {
    const unpacked = this.#unpackedBytes + unpackedBytes;
    const all = new SmallRepository(this.#source.gitdir, new Map([...this.files, ...files]), unpacked);
    return all.bytes > maxHeldBytes || unpacked > maxSmallUnpackedBytes ? undefined : all;
  }

  /** Everything in the tree of a commit; as `listTree` has it. */
  list(commit: string, known?: KnownListing): Promise<GitEntry[]> {
    const source: TreeSource = {
      root: async (id) => rootOf(await this.#object(id, "commit")),
      trees: (ids) => this.#each(ids, (id) => this.#object(id, "tree")),
      sizes: (ids) => this.#each(ids, async (id) => (await this.blob(id)).length),
    };
    return listObjects(source, commit, known);
  }

  blob(id: string): Promise<Uint8Array> {
    return this.#object(id, "blob");
  }

  async #each<T>(ids: readonly string[], read: (id: string) => Promise<T>): Promise<T[]> {
    const all: T[] = [];
    for (const id of ids) all.push(await read(id));
    return all;
  }

  async #object(oid: string, wanted: "commit" | "tree" | "blob"): Promise<Uint8Array> {
    this.#objectsRead += 1;
    if (this.#objectsRead % objectsPerTurn === 0) await setImmediate();
    let found: { type?: string; object: unknown };
    try {
      found = (await isomorphicGit.readObject({ ...this.#source, oid, format: "content" })) as typeof found;
    } catch (cause) {
      throw new GitFailed(`the object ${oid} cannot be read: ${String(cause)}`, "exit");
    }
    if (found.type !== wanted) throw new GitFailed(`the object ${oid} is no ${wanted}`, "exit");
    return found.object as Uint8Array;
  }
}

function rootOf(commit: Uint8Array): string {
  const tree = /^tree ([0-9a-f]{40})\n/.exec(Buffer.from(commit).toString("latin1"))?.[1];
  if (tree === undefined) throw new GitFailed("a commit has no tree", "exit");
  return tree;
}
