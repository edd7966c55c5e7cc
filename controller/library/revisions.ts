import { GitReader } from "../assets/git-reader.ts";
import type { Mirrors } from "../assets/mirrors.ts";

const maxNames = 200_000; // names of files and folders kept, of all revisions together: some 60 MB

/** Listings of commits, read once and kept while they are used. A commit never changes, so what is kept is right. */
export class Revisions {
  readonly #mirrors: Mirrors;
  readonly #open = new Map<string, { reader: Promise<GitReader>; names: number }>();
  #names = 0;

  constructor(mirrors: Mirrors) {
    this.#mirrors = mirrors;
  }

  /** Errors: those of `GitReader.open`. */
  async open(projectId: number, commit: string): Promise<GitReader> {
    const key = `${projectId} ${commit}`;
    const known = this.#open.get(key);
    if (known) {
      this.#open.delete(key); // to the end: the one not used longest goes first
      this.#open.set(key, known);
      return await known.reader;
    }
    const entry = { reader: GitReader.open(this.#mirrors, projectId, commit), names: 0 };
    this.#open.set(key, entry);
    try {
      const reader = await entry.reader;
      if (this.#open.get(key) === entry) {
        entry.names = reader.entries.length + 1;
        this.#names += entry.names;
        this.#trim(key);
      }
      return reader;
    } catch (error) {
      if (this.#open.get(key) === entry) this.#open.delete(key);
      throw error;
    }
  }

  #trim(keep: string): void {
    for (const [key, { names }] of this.#open) {
      if (this.#names <= maxNames) return;
      if (key === keep || names === 0) continue;
      this.#open.delete(key);
      this.#names -= names;
    }
  }
}
