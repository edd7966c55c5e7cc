import { once } from "node:events";
import { pipeline } from "node:stream/promises";
import type { Response } from "express";
import { ActionNeededError } from "#core/errors";
import type { Items } from "#schemas/api";
import type {
  LibraryAsset,
  LibraryEntry,
  LibraryPage,
  LibraryRepositoryView,
  LibrarySearch,
} from "#schemas/library";
import { callerOf } from "../auth/requires.ts";
import type { Rights } from "../auth/rights.ts";
import { archiveEntries, archiveFormats, packArchive } from "../library/archive.ts";
import { checkPath } from "../library/check-path.ts";
import type { Library } from "../library/library.ts";
import { defaultPerPage, maxDownloads, maxPerPage } from "../library/library-limits.ts";
import type { ApiRoute } from "./api-route.ts";
import { Gate } from "./gate.ts";
import {
  commitQuery,
  fileTag,
  hasAlready,
  kindQuery,
  pageOf,
  pageTag,
  pathIn,
  projectIn,
  repositoryIn,
} from "./library-request.ts";
import { badRequest, limitQuery, oneQuery } from "./read-request.ts";
import { visibleRepositories } from "./visible-repositories.ts";

const downloadDeadlineMs = 30 * 60_000; // two GiB over a slow line
const maxWordsCharacters = 200;
const archiveTypes = { tar: "application/x-tar", "tar.gz": "application/gzip", zip: "application/zip" };

export interface LibraryRouteDeps {
  library: Library;
  rights: Rights;
  /** Aborts when the process is to end. */
  stopping: AbortSignal;
}

/** Everything that reads the library. It asks the mirrors, not the Git host. */
export function libraryReadRoutes(deps: LibraryRouteDeps): ApiRoute[] {
  const { library, rights } = deps;
  const see = {
    method: "get" as const,
    action: "see" as const,
    resource: async (request: Parameters<typeof projectIn>[1]) => projectIn(library, request),
  };
  const gate = new Gate("downloads", maxDownloads);
  const download = async (response: Response, send: (signal: AbortSignal) => Promise<void>) => {
    response.locals["isStream"] = true;
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const deadline = AbortSignal.timeout(downloadDeadlineMs);
    try {
      const signal = AbortSignal.any([gone.signal, deadline, deps.stopping]);
      await gate.pass(callerOf(response).user.id, () => send(signal));
    } catch (error) {
      if (!gone.signal.aborted) throw error; // otherwise nobody is there to be told
    }
  };
  return [
    {
      method: "get",
      path: "/library",
      action: "see",
      resource: "each",
      handle: async (_request, response) => {
        const visible = await visibleRepositories({ library, rights }, callerOf(response));
        const items = visible.map(async ({ project, kind }): Promise<LibraryRepositoryView> => {
          const commit = (await library.repositories.known(project)) ?? null;
          return { repository: project.path, kind, commit, webUrl: project.webUrl };
        });
        response.json({ items: await Promise.all(items) } satisfies Items<LibraryRepositoryView>);
      },
    },
    {
      method: "get",
      path: "/library/search",
      action: "see",
      resource: "each",
      handle: async (request, response) => {
        const words = oneQuery(request, "q") ?? "";
        if (words.trim() === "" || words.length > maxWordsCharacters) {
          throw badRequest(`q must be words, ${maxWordsCharacters} characters at most`);
        }
        const limit = limitQuery(request, defaultPerPage, maxPerPage);
        const kind = kindQuery(request);
        const only = oneQuery(request, "repository");
        const path = only === undefined ? undefined : library.repositories.fullPath(only);
        const visible = await visibleRepositories({ library, rights }, callerOf(response), path);
        const hits = await library.search(visible, words, kind);
        const answer: LibrarySearch = { items: hits.slice(0, limit), more: hits.length > limit };
        response.json(answer);
      },
    },
    {
      ...see,
      path: "/library/{repository}/assets",
      handle: async (request, response) => {
        const repository = await repositoryIn(library, request);
        const kind = kindQuery(request);
        const reader = await library.read(repository, commitQuery(request));
        const about = { repository: repository.project.path, commit: reader?.commit ?? null };
        if (!reader) {
          response.json({ ...about, items: [], next: null } satisfies LibraryPage<LibraryAsset>);
          return;
        }
        if (hasAlready(request, response, pageTag(request, reader.commit), reader.commit)) return;
        const { assets } = await library.catalogue(reader);
        const wanted = assets.filter((asset) => kind === undefined || asset.kind === kind);
        response.json({ ...about, ...pageOf(request, wanted) } satisfies LibraryPage<LibraryAsset>);
      },
    },
    {
      ...see,
      path: "/library/{repository}/folder",
      handle: async (request, response) => {
        const repository = await repositoryIn(library, request);
        const path = checkPath(oneQuery(request, "path") ?? "");
        const reader = await library.read(repository, commitQuery(request));
        const about = { repository: repository.project.path, commit: reader?.commit ?? null };
        if (!reader) {
          response.json({ ...about, items: [], next: null } satisfies LibraryPage<LibraryEntry>);
          return;
        }
        if (reader.entry(path)?.kind !== "folder") throw noFile(path);
        if (hasAlready(request, response, pageTag(request, reader.commit), reader.commit)) return;
        const page = pageOf(request, reader.listedIn(path));
        const items = page.items.map(({ path: full, ...entry }) => {
          return { name: full.slice(full.lastIndexOf("/") + 1), path: full, ...entry };
        });
        response.json({ ...about, ...page, items } satisfies LibraryPage<LibraryEntry>);
      },
    },
    {
      ...see,
      path: "/library/{repository}/files/{path+}",
      handle: async (request, response) => {
        const repository = await repositoryIn(library, request);
        const path = pathIn(request);
        const reader = await library.read(repository, commitQuery(request));
        const entry = reader?.entry(path);
        if (!reader || entry?.kind !== "file") throw noFile(path);
        if (hasAlready(request, response, fileTag(entry), reader.commit)) return;
        // Written by a user: shown by no browser, whatever it holds.
        response.attachment(path.slice(path.lastIndexOf("/") + 1)).set({
          "Content-Type": "application/octet-stream",
          "Content-Length": String(entry.bytes ?? 0),
          "DTaaS-Executable": String(entry.executable),
        });
        if (request.method === "HEAD") {
          response.end();
          return;
        }
        await download(response, async (signal) => {
          await reader.streamAll(
            [entry],
            async (_index, pieces) => {
              await pieces(async (piece) => {
                if (!response.write(piece)) await once(response, "drain", { signal });
              });
            },
            signal,
          );
          response.end();
        });
      },
    },
    {
      ...see,
      path: "/library/{repository}/archive",
      handle: async (request, response) => {
        const repository = await repositoryIn(library, request);
        const path = checkPath(oneQuery(request, "path") ?? "");
        const wanted = oneQuery(request, "format") ?? "tar";
        const format = archiveFormats.find((one) => one === wanted);
        if (!format) throw badRequest(`format must be one of ${archiveFormats.join(", ")}`);
        const reader = await library.read(repository, commitQuery(request));
        if (!reader) throw noFile(path);
        const entries = archiveEntries(reader, path);
        if (hasAlready(request, response, pageTag(request, reader.commit), reader.commit)) return;
        const name = path === "" ? repository.project.path : path;
        response.attachment(`${name.slice(name.lastIndexOf("/") + 1)}.${format}`);
        response.set("Content-Type", archiveTypes[format]);
        if (request.method === "HEAD") {
          response.end();
          return;
        }
        await download(response, (signal) =>
          pipeline(packArchive(reader, entries, { format, signal }), response),
        );
      },
    },
  ];
}

function noFile(path: string): ActionNeededError {
  return new ActionNeededError("FILE_NOT_FOUND", `there is no ${path === "" ? "commit yet" : path}`, {
    where: { file: path },
    hint: "list what there is: dtaas library list",
  });
}
