import { LRUCache } from "lru-cache";
import { isHarmless } from "./check-tree.ts";
import type { GitReader } from "./git-reader.ts";

const maxNames = 30_000; // in listings that are kept, some 300 bytes each
const maxListings = 500;

/** Listings of commits, those used last; a commit never changes. */
export class Listings {
  readonly #readers = new LRUCache<string, GitReader>({
    max: maxListings,
    maxSize: maxNames,
    sizeCalculation: (reader) => reader.entries.length + 1,
  });
  /** By project: the commit that was listed last. */
  readonly #newest = new Map<number, string>();

  get(projectId: number, commit: string): GitReader | undefined {
    return this.#readers.get(keyOf(projectId, commit));
  }

  keep(reader: GitReader): void {
    this.#readers.set(keyOf(reader.projectId, reader.commit), reader);
    this.#newest.set(reader.projectId, reader.commit);
  }

  /** One of this project to find the next one's differences from, if there is one without a fault. */
  newest(projectId: number): GitReader | undefined {
    const commit = this.#newest.get(projectId);
    const reader = commit === undefined ? undefined : this.#readers.peek(keyOf(projectId, commit));
    return reader && isHarmless(reader) ? reader : undefined;
  }

  forget(projectId: number): void {
    const commit = this.#newest.get(projectId);
    this.#newest.delete(projectId);
    if (commit !== undefined) this.#readers.delete(keyOf(projectId, commit));
  }
}

function keyOf(projectId: number, commit: string): string {
  return `${projectId} ${commit}`;
}
