import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { readJson, writeJsonAtomic } from "#core/atomic-file";
import type { DataFolder } from "#core/data-folder";
import { isSystemError } from "#core/errors";
import type { DesiredState } from "#schemas/desired-state";
import { checkDesiredState } from "#schemas/documents/check-documents";
import { isSameDesire } from "./desire-user.ts";

/** The desired-state documents: this process alone writes them, so what it wrote last is what stands on disk. */
export class DesiredDocuments {
  readonly #data: DataFolder;
  readonly #documents = new Map<string, DesiredState>();

  private constructor(data: DataFolder) {
    this.#data = data;
  }

  static async open(data: DataFolder): Promise<DesiredDocuments> {
    const documents = new DesiredDocuments(data);
    for (const name of await readdir(data.desired).catch(noFolder)) {
      if (!name.endsWith(".json")) continue;
      const document = checkDesiredState(await readJson(join(data.desired, name)));
      documents.#documents.set(document.user, document);
    }
    return documents;
  }

  get(user: string): DesiredState | undefined {
    return this.#documents.get(user);
  }

  all(): DesiredState[] {
    return [...this.#documents.values()];
  }

  /** Replaces the document when it says something new; its generation is one more then. */
  async put(
    next: Omit<DesiredState, "version" | "generation" | "writtenAt">,
  ): Promise<{ document: DesiredState; isNew: boolean }> {
    const before = this.#documents.get(next.user);
    const document: DesiredState = {
      version: 1,
      generation: (before?.generation ?? 0) + 1,
      writtenAt: new Date().toISOString(),
      ...next,
    };
    if (before && isSameDesire(before, document)) return { document: before, isNew: false };
    await writeJsonAtomic(join(this.#data.desired, `${next.user}.json`), document);
    this.#documents.set(next.user, document);
    return { document, isNew: true };
  }
}

function noFolder(error: unknown): string[] {
  if (isSystemError(error, "ENOENT")) return [];
  throw error;
}
