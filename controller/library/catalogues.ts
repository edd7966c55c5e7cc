import { LRUCache } from "lru-cache";
import type { GitReader } from "../assets/git-reader.ts";
import { type Catalogue, makeCatalogue } from "./catalogue.ts";

const maxCharacters = 32 * 1024 * 1024; // indexed, of all catalogues together; an index takes some four times that
const charactersOfEmpty = 1_024; // what a catalogue weighs beside its texts

/** Catalogues by commit, made once, the one not used longest dropped first. A commit never changes. */
export class Catalogues {
  readonly #made = new LRUCache<string, Catalogue>({
    maxSize: maxCharacters,
    sizeCalculation: ({ characters }) => characters + charactersOfEmpty,
  });
  readonly #making = new Map<string, Promise<Catalogue>>();

  /** Calls for the same commit share the work. Errors: those of `GitReader.readAll`. */
  async of(reader: GitReader): Promise<Catalogue> {
    const key = `${reader.projectId} ${reader.commit}`;
    const known = this.#made.get(key) ?? this.#making.get(key);
    if (known) return await known;
    const making = makeCatalogue(reader).finally(() => this.#making.delete(key));
    this.#making.set(key, making);
    const catalogue = await making;
    this.#made.set(key, catalogue);
    return catalogue;
  }
}
