import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { DataFolder } from "#core/data-folder";
import { isSystemError } from "#core/errors";
import type { DesiredState, PinnedSnapshot } from "#schemas/desired-state";
import type { RunArchive } from "../reading/run-archive.ts";
import type { StoredDocuments } from "../reading/stored-documents.ts";
import { pins } from "./pins.ts";

export interface NeededSnapshots {
  keep: PinnedSnapshot[];
  /** Projects of which nothing may go now: the runner has not said what it needs of them, or it cannot be read. */
  spare: Set<string>;
}

/**
 * Every snapshot that somebody refers to: desired-state documents, what the runner has published that runs and last good
 * sources need, and runs that are to be done again, from their request until they have ended.
 */
export async function neededSnapshots(sources: {
  data: DataFolder;
  desired: { all(): DesiredState[] };
  documents: Pick<StoredDocuments, "users" | "observed">;
  runs: Pick<RunArchive, "get">;
}): Promise<NeededSnapshots> {
  const { data, desired, documents, runs } = sources;
  const keep: PinnedSnapshot[] = [];
  const spare = new Set<string>();
  for (const document of desired.all()) {
    const pinned = pins(document);
    keep.push(...pinned);
    if (await documents.observed(document.user)) continue;
    for (const { project } of [...pinned, { project: document.project.path }]) spare.add(project);
  }
  for (const user of await documents.users()) keep.push(...((await documents.observed(user))?.needs ?? []));
  for (const user of await foldersIn(data.requests)) {
    for (const name of await readdir(join(data.requests, user))) {
      const id = /^([^.]+)\.json$/.exec(name)?.[1];
      if (id === undefined) continue;
      for (const twin of desired.all().find((document) => document.user === user)?.twins ?? []) {
        const rerunOf = (await runs.get(user, twin.name, id))?.rerunOf;
        const former = rerunOf ? (await runs.get(user, twin.name, rerunOf))?.manifest : undefined;
        if (former) keep.push(former.own, ...(former.shared ?? []));
      }
    }
  }
  return { keep, spare };
}

async function foldersIn(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return [];
    throw error;
  }
}
