import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { DataFolder } from "#core/data-folder";
import { isSystemError } from "#core/errors";
import type { DesiredState } from "#schemas/desired-state";
import { checkDesiredState, checkObservedState } from "#schemas/documents/check-documents";
import type { ObservedState } from "#schemas/observed-state";
import type { UserSchedule } from "../schedule/schedule-memory.ts";
import { JsonFileCache, type OnUnreadable } from "./json-file-cache.ts";

/** The documents that controller and runner keep for each user. What is not there is `undefined`. */
export interface StoredDocuments {
  desired(user: string): Promise<DesiredState | undefined>;
  observed(user: string): Promise<ObservedState | undefined>;
  /** What became of the schedules of the user's twins. */
  schedule(user: string): Promise<UserSchedule | undefined>;
  /** Everybody who has either document, sorted. */
  users(): Promise<string[]>;
}

export function storedDocuments(data: DataFolder, onUnreadable: OnUnreadable): StoredDocuments {
  const desired = new JsonFileCache(checkDesiredState, onUnreadable);
  const observed = new JsonFileCache(checkObservedState, onUnreadable);
  const schedules = new JsonFileCache((value) => value as UserSchedule, onUnreadable); // our own
  return {
    desired: (user) => desired.read(join(data.desired, `${user}.json`)),
    observed: (user) => observed.read(join(data.observed, `${user}.json`)),
    schedule: (user) => schedules.read(join(data.schedules, `${user}.json`)),
    users: async () => {
      const names = await Promise.all([namesIn(data.desired), namesIn(data.observed)]);
      return [...new Set(names.flat())].sort();
    },
  };
}

async function namesIn(folder: string): Promise<string[]> {
  return (await listFolder(folder)).flatMap((name) => /^([^.].*)\.json$/.exec(name)?.[1] ?? []);
}

/** Names in a folder; none where there is no folder. */
export async function listFolder(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isSystemError(error, "ENOENT") || isSystemError(error, "ENOTDIR")) return [];
    throw error;
  }
}
