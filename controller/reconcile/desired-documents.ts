import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { readJson, writeJsonAtomic } from "#core/atomic-file";
import type { DataFolder } from "#core/data-folder";
import { ActionNeededError, isSystemError } from "#core/errors";
import { type OnSetAside, readOrSetAside } from "#core/read-or-set-aside";
import type { DesiredState } from "#schemas/desired-state";
import { checkDesiredState } from "#schemas/documents/check-documents";
import { isSameDesire } from "./desire-user.ts";

/** The desired-state documents: this process alone writes them, so what it wrote last is what stands on disk. */
export class DesiredDocuments {
  readonly #data: DataFolder;
  readonly #documents = new Map<string, DesiredState>();
  readonly #unreadable = new Set<string>();

  private constructor(data: DataFolder) {
    this.#data = data;
  }

  /**
   * Reads what is on disk. A document that cannot be understood is copied aside and told; it also stays in its place until it is made
   * again from Git, so that the runner does not take its twins for unwanted.
   */
  static async open(data: DataFolder, onSetAside: OnSetAside): Promise<DesiredDocuments> {
    const documents = new DesiredDocuments(data);
    for (const name of await readdir(data.desired).catch(noFolder)) {
      if (!name.endsWith(".json")) continue;
      const user = name.slice(0, -".json".length);
      const path = join(data.desired, name);
      const document = await readOrSetAside(path, { check: ofUser(user), onSetAside, leave: true });
      if (document) documents.#documents.set(user, document);
      else documents.#unreadable.add(user);
    }
    return documents;
  }

  /** Users whose document is to be made again: what is on disk cannot be understood. */
  get unreadable(): string[] {
    return [...this.#unreadable];
  }

  /** Is there a document of this user on disk, readable or not? */
  has(user: string): boolean {
    return this.#documents.has(user) || this.#unreadable.has(user);
  }

  get(user: string): DesiredState | undefined {
    return this.#documents.get(user);
  }

  all(): DesiredState[] {
    return [...this.#documents.values()];
  }

  /**
   * Replaces the document when it says something new; its generation is one more then. After one that could not be understood
   * it is one more than what the runner has applied.
   */
  async put(
    next: Omit<DesiredState, "version" | "generation" | "writtenAt">,
  ): Promise<{ document: DesiredState; isNew: boolean }> {
    const before = this.#documents.get(next.user);
    const document: DesiredState = {
      version: 1,
      generation: (before?.generation ?? (await this.#appliedGeneration(next.user))) + 1,
      writtenAt: new Date().toISOString(),
      ...next,
    };
    if (before && isSameDesire(before, document)) return { document: before, isNew: false };
    await writeJsonAtomic(join(this.#data.desired, `${next.user}.json`), document);
    this.#documents.set(next.user, document);
    this.#unreadable.delete(next.user);
    return { document, isNew: true };
  }

  async #appliedGeneration(user: string): Promise<number> {
    if (!this.#unreadable.has(user)) return 0;
    const observed = await readJson(join(this.#data.observed, `${user}.json`)).catch(() => undefined);
    const { generation } = (observed ?? {}) as { generation?: unknown };
    return typeof generation === "number" && Number.isSafeInteger(generation) ? generation : 0;
  }
}

/** A document in somebody else's place is none of theirs. */
function ofUser(user: string): (value: unknown, path: string) => DesiredState {
  return (value, path) => {
    const document = checkDesiredState(value, path);
    if (document.user === user) return document;
    throw new ActionNeededError("DOCUMENT_INVALID", `${path} is the document of ${document.user}`);
  };
}

function noFolder(error: unknown): string[] {
  if (isSystemError(error, "ENOENT")) return [];
  throw error;
}
