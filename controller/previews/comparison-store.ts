import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeJsonAtomic } from "#core/atomic-file";
import type { DataFolder } from "#core/data-folder";
import { ActionNeededError } from "#core/errors";
import { type OnSetAside, readOrSetAside } from "#core/read-or-set-aside";
import type { PreviewId, WantedPreviews } from "#schemas/previews";
import type { Comparison } from "./previews.ts";

/** What was compared of one twin. */
export interface Compared {
  name: string;
  /** What it was worked out from: the preview, and the runs on both sides. */
  from: string;
  comparisons: Comparison[];
}

/** Comparisons as they were worked out last. They stay when the files that they were made of have gone. */
export class ComparisonStore {
  readonly #data: DataFolder;
  readonly #onSetAside: OnSetAside;

  constructor(data: DataFolder, onSetAside: OnSetAside) {
    this.#data = data;
    this.#onSetAside = onSetAside;
  }

  async get(user: string, id: PreviewId): Promise<Compared[]> {
    const options = { check: checkCompared, onSetAside: this.#onSetAside };
    return (await readOrSetAside(this.#path(user, id), options)) ?? [];
  }

  async put(user: string, id: PreviewId, compared: readonly Compared[]): Promise<void> {
    await writeJsonAtomic(this.#path(user, id), compared);
  }

  async remove({ user, id }: Pick<WantedPreviews, "user" | "id">): Promise<void> {
    await rm(this.#path(user, id), { force: true });
  }

  /** Removes what belongs to no preview any more. */
  async sweep(isWanted: (user: string, id: PreviewId) => boolean): Promise<void> {
    for (const user of await readdir(this.#data.compared).catch(() => [])) {
      for (const name of await readdir(join(this.#data.compared, user)).catch(() => [])) {
        const id = name.replace(/\.json.*$/, "");
        if (!isWanted(user, id)) await rm(join(this.#data.compared, user, name), { force: true });
      }
    }
  }

  #path(user: string, id: PreviewId): string {
    return join(this.#data.compared, user, `${id}.json`);
  }
}

function checkCompared(value: unknown, path: string): Compared[] {
  const isOne = (one: Partial<Compared> | null) =>
    typeof one?.name === "string" && typeof one.from === "string" && Array.isArray(one.comparisons);
  if (Array.isArray(value) && value.every(isOne)) return value as Compared[];
  throw new ActionNeededError("DOCUMENT_INVALID", `${path} holds no comparisons`);
}
