import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { readJson, writeJsonAtomic } from "#core/atomic-file";
import { type DataFolder, previewedFolder } from "#core/data-folder";
import { ActionNeededError } from "#core/errors";
import { type OnSetAside, readOrSetAside } from "#core/read-or-set-aside";
import { checkObservedPreviews, checkWantedPreviews } from "#schemas/documents/check-documents";
import { type ObservedPreviews, previewIdPattern, type WantedPreviews } from "#schemas/previews";
import { listFolder, RunStore } from "../runs/run-store.ts";

/** The previews of one merge request, among those of their user. */
export interface PreviewsKey {
  user: string;
  id: string;
}

/**
 * What lies on disk of previews: the wishes of the controller, which are only read, and what this process has done of
 * them. A record that cannot be understood is set aside and counts as not there: the preview begins anew.
 */
export class PreviewFiles {
  readonly #data: DataFolder;
  readonly #onSetAside: OnSetAside;
  readonly #runs = new Map<string, RunStore>();

  constructor(data: DataFolder, onSetAside: OnSetAside) {
    this.#data = data;
    this.#onSetAside = onSetAside;
  }

  /** Everybody of whom there are wishes or records. */
  async users(): Promise<string[]> {
    const names = [...(await listFolder(this.#data.previews)), ...(await listFolder(this.#data.previewed))];
    return [...new Set(names)].filter((name) => !name.startsWith(".")).sort();
  }

  async ids(user: string): Promise<string[]> {
    const wanted = (await listFolder(join(this.#data.previews, user))).flatMap(
      (name) => /^([0-9-]+)\.json$/.exec(name)?.[1] ?? [],
    );
    const seen = await listFolder(join(this.#data.previewed, user));
    return [...new Set([...wanted, ...seen])].filter((id) => previewIdPattern.test(id)).sort();
  }

  /** Another one whenever a wish of this user has come, changed or gone. */
  async stamp(user: string): Promise<string> {
    const folder = join(this.#data.previews, user);
    const names = (await listFolder(folder)).filter((name) => name.endsWith(".json")).sort();
    const found = await Promise.all(
      names.map(async (name) => {
        const about = await stat(join(folder, name), { bigint: true }).catch(() => undefined);
        return `${name} ${about?.ino}:${about?.mtimeNs}`;
      }),
    );
    return found.join("\n");
  }

  /**
   * `undefined` where nothing is wanted. `ActionNeededError("DOCUMENT_INVALID")` for one that cannot be understood: all
   * stays as it is until the controller has made it again.
   */
  async wanted({ user, id }: PreviewsKey): Promise<WantedPreviews | undefined> {
    const path = join(this.#data.previews, user, `${id}.json`);
    const found = await readJson(path).catch((error: unknown) => {
      if (!(error instanceof SyntaxError)) throw error;
      throw new ActionNeededError("DOCUMENT_INVALID", `${path} is no JSON: ${error.message}`);
    });
    return found === undefined ? undefined : checkWantedPreviews(found, path);
  }

  /** Is there a wish, readable or not? */
  async isWanted({ user, id }: PreviewsKey): Promise<boolean> {
    return (await stat(join(this.#data.previews, user, `${id}.json`)).catch(() => undefined)) !== undefined;
  }

  async seen(of: PreviewsKey): Promise<ObservedPreviews | undefined> {
    const path = join(previewedFolder(this.#data, of), "state.json");
    return await readOrSetAside(path, { check: checkObservedPreviews, onSetAside: this.#onSetAside });
  }

  /** On disk when this resolves. */
  async write(seen: ObservedPreviews): Promise<void> {
    await writeJsonAtomic(join(previewedFolder(this.#data, seen), "state.json"), seen);
  }

  /** Its runs, apart from those of live twins. */
  runs(of: PreviewsKey): RunStore {
    const folder = previewedFolder(this.#data, of);
    const known = this.#runs.get(folder);
    if (known) return known;
    const store = new RunStore(this.#data, this.#onSetAside, ({ twin, runId }) => join(folder, twin, runId));
    this.#runs.set(folder, store);
    return store;
  }

  /** Logs and outputs of one twin's runs. */
  async dropKept(of: PreviewsKey, twin: string): Promise<void> {
    await rm(join(previewedFolder(this.#data, of), twin), { recursive: true, force: true });
    this.#runs.delete(previewedFolder(this.#data, of));
  }

  /** The last trace of a merge request's previews. */
  async forget(of: PreviewsKey): Promise<void> {
    await rm(previewedFolder(this.#data, of), { recursive: true, force: true });
    this.#runs.delete(previewedFolder(this.#data, of));
  }
}
