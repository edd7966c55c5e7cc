import { chmod, mkdir, readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { readJson, writeJsonAtomic } from "#core/atomic-file";
import { type DataFolder, sealedPath } from "#core/data-folder";
import { isSystemError } from "#core/errors";
import { checkSealedSecrets } from "#schemas/documents/check-documents";
import type { SealedSecrets } from "#schemas/sealed-secrets";

// Cipher text: of use to the runner alone, which may be another user of the system and shares our group then.
const fileMode = 0o640;
const folderMode = 0o750;

/** The sealed secrets of every twin on disk. This process alone writes them; the runner reads them. */
export class SealedStore {
  readonly #data: DataFolder;
  readonly #documents = new Map<string, SealedSecrets>();

  private constructor(data: DataFolder) {
    this.#data = data;
  }

  /** A document that cannot be read is left out: it is written again when its user is looked at. */
  static async open(data: DataFolder): Promise<SealedStore> {
    const store = new SealedStore(data);
    await mkdir(data.sealed, { recursive: true });
    await chmod(data.sealed, folderMode);
    for (const user of await names(data.sealed)) {
      for (const file of await names(join(data.sealed, user))) {
        if (!file.endsWith(".json")) continue;
        const path = join(data.sealed, user, file);
        const document = await readJson(path)
          .then((value) => checkSealedSecrets(value, path))
          .catch(() => undefined);
        if (document) store.#documents.set(`${document.user}/${document.twin}`, document);
      }
    }
    return store;
  }

  get(user: string, twin: string): SealedSecrets | undefined {
    return this.#documents.get(`${user}/${twin}`);
  }

  of(user: string): SealedSecrets[] {
    return [...this.#documents.values()].filter((document) => document.user === user);
  }

  /** True when it says something new. One without secrets is removed. */
  async put(document: SealedSecrets): Promise<boolean> {
    const { user, twin } = document;
    const before = this.get(user, twin);
    if (document.secrets.length === 0) return await this.remove(user, twin);
    if (JSON.stringify(before) === JSON.stringify(document)) return false;
    const path = sealedPath(this.#data, user, twin);
    await mkdir(dirname(path), { recursive: true, mode: folderMode });
    await writeJsonAtomic(path, document, fileMode);
    this.#documents.set(`${user}/${twin}`, document);
    return true;
  }

  async remove(user: string, twin: string): Promise<boolean> {
    await rm(sealedPath(this.#data, user, twin), { force: true });
    return this.#documents.delete(`${user}/${twin}`);
  }
}

async function names(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isSystemError(error, "ENOENT") || isSystemError(error, "ENOTDIR")) return [];
    throw error;
  }
}
