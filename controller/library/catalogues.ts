import type { GitReader } from "../assets/git-reader.ts";
import { type Catalogue, makeCatalogue } from "./catalogue.ts";

const maxCharacters = 64 * 1024 * 1024; // indexed, of all catalogues together; an index takes some four times that
const maxCatalogues = 2_000;

/** Catalogues by commit, made once, the one not used longest dropped first. */
export class Catalogues {
  readonly #made = new Map<string, { catalogue: Promise<Catalogue>; characters: number }>();
  #characters = 0;

  async of(reader: GitReader): Promise<Catalogue> {
    const key = `${reader.projectId} ${reader.commit}`;
    const known = this.#made.get(key);
    if (known) {
      this.#made.delete(key);
      this.#made.set(key, known);
      return await known.catalogue;
    }
    const entry = { catalogue: makeCatalogue(reader), characters: 0 };
    this.#made.set(key, entry);
    try {
      const catalogue = await entry.catalogue;
      if (this.#made.get(key) === entry) {
        entry.characters = catalogue.characters;
        this.#characters += entry.characters;
        this.#trim(key);
      }
      return catalogue;
    } catch (error) {
      if (this.#made.get(key) === entry) this.#made.delete(key);
      throw error;
    }
  }

  #trim(keep: string): void {
    for (const [key, { characters }] of this.#made) {
      if (this.#characters <= maxCharacters && this.#made.size <= maxCatalogues) return;
      if (key === keep) continue;
      this.#made.delete(key);
      this.#characters -= characters;
    }
  }
}
