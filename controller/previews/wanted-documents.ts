import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeJsonAtomic } from "#core/atomic-file";
import type { DataFolder } from "#core/data-folder";
import { ActionNeededError, isSystemError } from "#core/errors";
import { type OnSetAside, readOrSetAside } from "#core/read-or-set-aside";
import { checkWantedPreviews } from "#schemas/documents/check-documents";
import type { PreviewId, WantedPreviews } from "#schemas/previews";
import type { MergeRequestRef } from "./previews.ts";

/** The previews that are wanted: this process alone writes them, so what it wrote last is what stands on disk. */
export class WantedDocuments {
  readonly #data: DataFolder;
  readonly #documents = new Map<string, WantedPreviews>();

  private constructor(data: DataFolder) {
    this.#data = data;
  }

  /** One that cannot be understood is set aside: whoever wants it says so again. */
  static async open(data: DataFolder, onSetAside: OnSetAside): Promise<WantedDocuments> {
    const documents = new WantedDocuments(data);
    for (const user of await namesIn(data.previews)) {
      for (const name of await namesIn(join(data.previews, user))) {
        const id = /^([0-9-]+)\.json$/.exec(name)?.[1];
        if (id === undefined) continue;
        const path = join(data.previews, user, name);
        const document = await readOrSetAside(path, { check: inItsPlace(user, id), onSetAside });
        if (document) documents.#documents.set(keyOf(document), document);
      }
    }
    return documents;
  }

  all(): WantedPreviews[] {
    return [...this.#documents.values()];
  }

  get(user: string, id: PreviewId): WantedPreviews | undefined {
    return this.#documents.get(keyOf({ user, id }));
  }

  ofUser(user: string): WantedPreviews[] {
    return this.all().filter((document) => document.user === user);
  }

  /** Of one merge request, with whichever users. */
  of({ projectId, iid }: Pick<MergeRequestRef, "projectId" | "iid">): WantedPreviews[] {
    return this.all().filter(
      ({ mergeRequest }) => mergeRequest.projectId === projectId && mergeRequest.iid === iid,
    );
  }

  /** On disk when this resolves. */
  async put(document: WantedPreviews): Promise<void> {
    await writeJsonAtomic(this.#path(document), document);
    this.#documents.set(keyOf(document), document);
  }

  async remove(document: Pick<WantedPreviews, "user" | "id">): Promise<void> {
    await rm(this.#path(document), { force: true });
    this.#documents.delete(keyOf(document));
  }

  #path({ user, id }: Pick<WantedPreviews, "user" | "id">): string {
    return join(this.#data.previews, user, `${id}.json`);
  }
}

function keyOf({ user, id }: Pick<WantedPreviews, "user" | "id">): string {
  return `${user}/${id}`;
}

/** A document in somebody else's place is none of theirs. */
function inItsPlace(user: string, id: string): (value: unknown, path: string) => WantedPreviews {
  return (value, path) => {
    const document = checkWantedPreviews(value, path);
    if (document.user === user && document.id === id) return document;
    throw new ActionNeededError("DOCUMENT_INVALID", `${path} is the document of ${keyOf(document)}`);
  };
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isSystemError(error, "ENOENT") || isSystemError(error, "ENOTDIR")) return [];
    throw error;
  }
}
