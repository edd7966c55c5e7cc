import pLimit from "p-limit";
import { ActionNeededError } from "#core/errors";
import { maxTreeBytes } from "#schemas/tree/tree-limits";
import type { LfsPointer } from "./lfs-pointer.ts";
import type { LfsAccess, LfsServer } from "./lfs-server.ts";
import type { LfsStore } from "./lfs-store.ts";

const downloadsAtOnce = 4;
const downloadDeadlineMs = 15 * 60_000; // of one object; 2 GiB at 20 Mbit/s

/** A file of a revision that is a pointer. */
export interface LargeFile extends LfsPointer {
  /** In the repository. */
  path: string;
}

/** Brings in the large files that a revision points to. Resolves with a function that says where each lies. */
export type FetchLargeFiles = (
  project: { id: number; path: string },
  files: readonly LargeFile[],
  signal?: AbortSignal,
) => Promise<(oid: string) => string>;

/**
 * Large files from the project's Git host. The host is asked about each, also about those that are here already: it
 * decides whether this project has them. `ActionNeededError("TREE_REFUSED")` at the first file that is not to be had, so
 * that the commit says so and what ran before runs on.
 */
export function fetchLargeFiles(parts: {
  store: LfsStore;
  server: LfsServer;
  access(project: { id: number; path: string }): LfsAccess;
}): FetchLargeFiles {
  const { store, server } = parts;
  const limit = pLimit(downloadsAtOnce);
  return async (project, files, signal) => {
    const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
    const [first] = files;
    if (first && total > maxTreeBytes) {
      throw refused(first.path, `the large files have ${total} bytes together, more than ${maxTreeBytes}`, {
        hint: "Keep less in one repository.",
      });
    }
    const access = parts.access(project);
    const byOid = new Map(files.map((file) => [file.oid, file]));
    const places = await server.locate(access, [...byOid.values()], signal).catch((error: unknown) => {
      throw first ? asRefusal(first.path, error) : error;
    });
    const bringing = [...byOid.values()].map((file) =>
      limit(async () => {
        const { path, oid } = file;
        const place = places.get(oid);
        if (!place) {
          throw refused(path, `the Git host has no large file ${oid.slice(0, 12)} for this pointer`, {
            hint: "Upload it: git lfs push --all origin",
          });
        }
        if (await store.has(project.id, file)) return;
        const deadline = AbortSignal.timeout(downloadDeadlineMs);
        const both = signal ? AbortSignal.any([signal, deadline]) : deadline;
        const answer = await server.open(place, access, both).catch((error: unknown) => {
          throw asRefusal(path, error);
        });
        if (!answer.ok || !answer.body) {
          await answer.body?.cancel();
          throw refused(path, `the Git host answers ${answer.status} to its large file`, {
            hint: "Upload it again: git lfs push --all origin",
          });
        }
        if (!(await store.write(project.id, file, answer.body))) {
          throw refused(path, "its large file has another size or content than the pointer says", {
            hint: "Upload it again: git lfs push --all origin",
          });
        }
      }),
    );
    const results = await Promise.allSettled(bringing); // nothing goes on behind our back
    for (const result of results) if (result.status === "rejected") throw result.reason;
    return (oid) => store.path(project.id, oid);
  };
}

function refused(file: string, message: string, more: { hint: string; cause?: unknown }): ActionNeededError {
  return new ActionNeededError("TREE_REFUSED", `${JSON.stringify(file)}: ${message}`, {
    where: { file },
    ...more,
  });
}

function asRefusal(file: string, error: unknown): unknown {
  if (!(error instanceof ActionNeededError) || error.code !== "LFS_UNAVAILABLE") return error;
  return refused(file, error.message, { hint: error.hint ?? "", cause: error });
}
