import { isUtf8 } from "node:buffer";
import { ActionNeededError, TryLaterError } from "#core/errors";
import type { RepositoryTree, TreeEntry } from "#schemas/repository-tree";
import { followLinks } from "#schemas/tree/follow-links";
import { maxPathBytes } from "#schemas/tree/tree-limits";
import type { GitEntry } from "./git-entry.ts";
import type { Mirrors } from "./mirrors.ts";
import type { PassingBlob } from "./read-blobs.ts";
import { GitFailed } from "./run-git.ts";

const readDeadlineMs = 60_000;
const maxReadTogetherBytes = 64 * 1024 * 1024; // one readAll; documents are small, whoever wants more reads in parts

/**
 * A repository at one exact commit, listed once; nothing outside of this commit is ever seen. As a `RepositoryTree` it
 * shows what a person would see after a checkout: links that stay inside are followed, everything odd is not there.
 */
export class GitReader implements RepositoryTree {
  readonly projectId: number;
  readonly commit: string;
  /** Everything, parents before children, as Git lists it; a hostile tree may hold a name twice. */
  readonly entries: readonly GitEntry[];
  readonly #mirrors: Mirrors;
  readonly #byPath = new Map<string, GitEntry>();
  #names: ReadonlyMap<string, string[]> | undefined;
  #targets = new Map<string, string>();

  private constructor(mirrors: Mirrors, projectId: number, commit: string, entries: GitEntry[]) {
    this.#mirrors = mirrors;
    this.projectId = projectId;
    this.commit = commit;
    this.entries = entries;
    for (const entry of entries) this.#byPath.set(entry.path, entry);
  }

  /**
   * Lists the tree of a commit. `ActionNeededError("TREE_REFUSED")` for more entries than `maxTreeEntries` or names that
   * are no UTF-8; `TryLaterError` when the mirror turns out to be broken (the next fetch builds it anew);
   * `ActionNeededError("REVISION_NOT_FOUND")` when even a new mirror cannot be read at this commit.
   */
  static async open(
    mirrors: Mirrors,
    projectId: number,
    commit: string,
    signal?: AbortSignal,
  ): Promise<GitReader> {
    if (!/^[0-9a-f]{40,64}$/.test(commit)) {
      throw new ActionNeededError("REVISION_NOT_FOUND", `${JSON.stringify(commit)} is not a commit id`);
    }
    const known = mirrors.listings.get(projectId, commit);
    if (known) return known;
    try {
      const reader = new GitReader(mirrors, projectId, commit, await mirrors.list(projectId, commit, signal));
      await reader.#loadTargets(signal);
      mirrors.listings.keep(reader);
      return reader;
    } catch (error) {
      if (error instanceof GitFailed) throw unreadable(mirrors, projectId, commit, error);
      throw error;
    }
  }

  /** The file or folder at this path; the id of the root is the commit's. */
  entry(path: string): TreeEntry | undefined {
    if (path === "") return { kind: "folder", executable: false, id: this.commit };
    const found = this.#find(path);
    if (found?.kind === "file") {
      return { kind: "file", executable: found.executable, id: found.id, bytes: found.bytes };
    }
    return found?.kind === "folder" ? { kind: "folder", executable: false, id: found.id } : undefined;
  }

  /** What Git itself lists at this path: a link is a link, and nothing is followed. */
  listed(path: string): GitEntry | undefined {
    return this.#byPath.get(path);
  }

  /** Names of what lies directly in a folder, sorted; nothing for what is no folder. */
  list(folder: string): readonly string[] {
    const path = folder === "" ? "" : this.#find(folder)?.path;
    return path === undefined ? [] : (this.#namesIn().get(path) ?? []);
  }

  /** What Git lists directly in a folder, sorted by name; a hostile tree may hold a name twice, it is told once. */
  listedIn(folder: string): GitEntry[] {
    const path = folder === "" ? "" : this.#find(folder)?.path;
    if (path === undefined) return [];
    const names = new Set(this.#namesIn().get(path));
    return [...names].flatMap((name) => this.#byPath.get(path === "" ? name : `${path}/${name}`) ?? []);
  }

  /** Where each link of the tree points, by the link's path; a target that is too long or no UTF-8 is left out. */
  get linkTargets(): ReadonlyMap<string, string> {
    return this.#targets;
  }

  /**
   * The bytes of a file; `undefined` where there is no regular file. More than `maxBytes` is
   * `ActionNeededError("FILE_TOO_LARGE")`.
   */
  async read(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
    return (await this.readAll([path], maxBytes)).get(path);
  }

  /** Reads files together; resolves with a `read` that has them at hand. What is no regular file or too large is left out. */
  async preload(
    paths: Iterable<string>,
    maxBytes: number,
    signal?: AbortSignal,
  ): Promise<(path: string, maxBytes: number) => Promise<Uint8Array | undefined>> {
    const small = [...paths].filter((path) => (this.#find(path)?.bytes ?? 0) <= maxBytes);
    const atHand = await this.readAll(small, maxBytes, signal);
    return async (path, limit) => atHand.get(path) ?? (await this.read(path, limit));
  }

  /** Like `read` for several files at the price of one; what is no regular file is left out. */
  async readAll(
    paths: Iterable<string>,
    maxBytes: number,
    signal?: AbortSignal,
  ): Promise<Map<string, Uint8Array>> {
    const files = new Map<string, GitEntry>();
    for (const path of paths) {
      const found = this.#find(path);
      if (found?.kind !== "file") continue;
      if (found.bytes > maxBytes) {
        const message = `${path} has ${found.bytes} bytes, more than ${maxBytes}`;
        throw new ActionNeededError("FILE_TOO_LARGE", message, {
          where: { file: path },
          hint: "Make it smaller.",
        });
      }
      files.set(path, found);
    }
    try {
      return await this.#contents(files, signal);
    } catch (error) {
      if (error instanceof GitFailed) throw unreadable(this.#mirrors, this.projectId, this.commit, error);
      throw error;
    }
  }

  /**
   * Hands over the content of files one after another, in pieces that are each taken before the next is read; whatever
   * the files' size, one piece is kept in memory.
   */
  async streamAll(
    files: readonly Pick<GitEntry, "id">[],
    take: (index: number, pieces: PassingBlob["pieces"]) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const ids = files.map(({ id }) => id);
    let index = 0;
    try {
      await this.#mirrors.blobs(this.projectId, ids, (_id, blob) => take(index++, blob.pieces), signal);
    } catch (error) {
      if (error instanceof GitFailed) throw unreadable(this.#mirrors, this.projectId, this.commit, error);
      throw error;
    }
  }

  /** Sorted names by folder. */
  #namesIn(): ReadonlyMap<string, string[]> {
    if (this.#names) return this.#names;
    const names = new Map<string, string[]>();
    for (const { path } of this.entries) {
      const slash = path.lastIndexOf("/");
      const parent = slash < 0 ? "" : path.slice(0, slash);
      const siblings = names.get(parent);
      if (siblings) siblings.push(path.slice(slash + 1));
      else names.set(parent, [path.slice(slash + 1)]);
    }
    for (const siblings of names.values()) siblings.sort();
    this.#names = names;
    return names;
  }

  #find(path: string): GitEntry | undefined {
    const direct = this.#byPath.get(path);
    if ((direct !== undefined && direct.kind !== "link") || this.#targets.size === 0) return direct;
    const { path: end } = followLinks(path, {
      kind: (at) => this.#byPath.get(at)?.kind,
      target: (at) => this.#targets.get(at),
    });
    return end === undefined ? undefined : this.#byPath.get(end);
  }

  async #loadTargets(signal: AbortSignal | undefined): Promise<void> {
    const links = this.entries.filter((entry) => entry.kind === "link" && entry.bytes <= maxPathBytes);
    const contents = await this.#contents(new Map(links.map((link) => [link.path, link])), signal);
    const readable = [...contents].filter(([, bytes]) => isUtf8(bytes));
    this.#targets = new Map(readable.map(([path, bytes]) => [path, Buffer.from(bytes).toString("utf8")]));
  }

  async #contents(
    files: Map<string, GitEntry>,
    signal: AbortSignal | undefined,
  ): Promise<Map<string, Uint8Array>> {
    const ids = new Map([...files.values()].map((file) => [file.id, file.bytes]));
    const total = [...ids.values()].reduce((sum, bytes) => sum + bytes, 0);
    if (total > maxReadTogetherBytes) throw new RangeError(`${total} bytes are too many to read together`);
    const deadline = AbortSignal.timeout(readDeadlineMs);
    const blobs = new Map<string, Uint8Array>();
    await this.#mirrors.blobs(
      this.projectId,
      [...ids.keys()],
      async (id, blob) => void blobs.set(id, await blob.all()),
      signal ? AbortSignal.any([signal, deadline]) : deadline,
    );
    return new Map([...files].map(([path, file]) => [path, blobs.get(file.id) ?? new Uint8Array()]));
  }
}

function unreadable(mirrors: Mirrors, projectId: number, commit: string, cause: GitFailed): Error {
  if (cause.reason !== "exit") return new TryLaterError(cause.message, { retryAfterMs: 5_000, cause });
  if (mirrors.suspect(projectId)) {
    const message = "The mirror cannot be read at this commit and is built anew";
    return new TryLaterError(message, { retryAfterMs: 1_000, cause });
  }
  return new ActionNeededError("REVISION_NOT_FOUND", `Commit ${commit} cannot be read`, {
    hint: "It is not on the default branch any more, or its objects are damaged on the Git host.",
    cause,
  });
}
