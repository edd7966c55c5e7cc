import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type DataFolder, previewedFolder } from "#core/data-folder";
import { isSystemError } from "#core/errors";
import { checkObservedPreviews } from "#schemas/documents/check-documents";
import {
  type ObservedPreview,
  type ObservedPreviews,
  previewIdPattern,
  type WantedPreview,
} from "#schemas/previews";
import { JsonFileCache, type OnUnreadable } from "../reading/json-file-cache.ts";

/** What the runner says of previews. */
export interface PreviewRecords {
  get(user: string, id: string): Promise<ObservedPreviews | undefined>;
  /** Every one, of previews that nobody wants any more, too. */
  all(): Promise<ObservedPreviews[]>;
}

export function previewRecords(data: DataFolder, onUnreadable: OnUnreadable): PreviewRecords {
  const records = new JsonFileCache(checkObservedPreviews, onUnreadable);
  const get = (user: string, id: string) =>
    records.read(join(previewedFolder(data, { user, id }), "state.json"));
  return {
    get,
    async all() {
      const found: ObservedPreviews[] = [];
      for (const user of await namesIn(data.previewed)) {
        for (const id of await namesIn(join(data.previewed, user))) {
          const record = previewIdPattern.test(id) ? await get(user, id) : undefined;
          if (record) found.push(record);
        }
      }
      return found;
    },
  };
}

/** What was seen of exactly this preview, not of one at another commit. Pure. */
export function seenOf(
  wanted: WantedPreview,
  record: Pick<ObservedPreviews, "twins"> | undefined,
): ObservedPreview | undefined {
  return record?.twins.find(
    ({ name, commit, attempt }) =>
      name === wanted.name && commit === wanted.commit && attempt === wanted.attempt,
  );
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => !name.startsWith("."));
  } catch (error) {
    if (isSystemError(error, "ENOENT") || isSystemError(error, "ENOTDIR")) return [];
    throw error;
  }
}
