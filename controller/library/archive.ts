import { PassThrough, Readable } from "node:stream";
import { createGzip } from "node:zlib";
import { type Pack, pack } from "tar-stream";
import { ZipFile } from "yazl";
import { ActionNeededError } from "#core/errors";
import { followLinks } from "#schemas/tree/follow-links";
import type { GitEntry } from "../assets/git-entry.ts";
import type { GitReader } from "../assets/git-reader.ts";

export const archiveFormats = ["tar", "tar.gz", "zip"] as const;
export type ArchiveFormat = (typeof archiveFormats)[number];

// Git keeps no times, so that equal content gives equal archives; ZIP knows none before 1980.
const time = new Date("1980-01-01T00:00:00Z");
const fileMode = 0o644;
const executableMode = 0o755;
const linkMode = 0o777;

/** One name in an archive, relative to the folder that is packed. */
export interface ArchiveEntry {
  name: string;
  entry: GitEntry;
  /** Of a link, where it points. */
  target?: string;
}

/**
 * What an archive of a folder (the root is the empty path) or of one file holds. Links are packed as links. Throws
 * `ActionNeededError("FILE_NOT_FOUND")`, and `LINK_LEAVES_FOLDER` for a link that would lead out of the unpacked folder.
 */
export function archiveEntries(reader: GitReader, path: string): ArchiveEntry[] {
  const top = path.slice(path.lastIndexOf("/") + 1);
  const there = path === "" ? undefined : reader.listed(path);
  if (path !== "" && there === undefined) {
    throw new ActionNeededError("FILE_NOT_FOUND", `There is no ${path}`, { where: { file: path } });
  }
  if (there?.kind === "file") return [{ name: top, entry: there }];
  const below = path === "" ? "" : `${path}/`;
  return reader.entries.flatMap((entry): ArchiveEntry[] => {
    const isInside = entry.path.startsWith(below);
    if (!isInside || entry.kind === "folder" || entry.kind === "submodule") return [];
    const inside = entry.path.slice(below.length);
    const name = top === "" ? inside : `${top}/${inside}`;
    if (entry.kind === "file") return [{ name, entry }];
    const target = reader.linkTargets.get(entry.path);
    const { fault } = followLinks(inside, {
      kind: (at) => reader.listed(`${below}${at}`)?.kind,
      target: (at) => reader.linkTargets.get(`${below}${at}`),
    });
    if (target === undefined || fault !== undefined) {
      throw new ActionNeededError("LINK_LEAVES_FOLDER", `${entry.path} is a link that leads elsewhere`, {
        where: { file: entry.path },
        hint: "Download a folder that holds what it points to, or clone the repository.",
      });
    }
    return [{ name, entry, target }];
  });
}

/**
 * Packs the entries as they are read; nothing but the file at hand is kept in memory. A stream that fails on the way is
 * destroyed, so that nobody takes a half for the whole.
 */
export function packArchive(
  reader: GitReader,
  entries: readonly ArchiveEntry[],
  options: { format: ArchiveFormat; signal: AbortSignal },
): Readable {
  if (options.format === "zip") return packZip(reader, entries, options.signal);
  const tar = pack();
  void fillTar(tar, reader, entries, options.signal).then(
    () => tar.finalize(),
    (error: Error) => tar.destroy(error),
  );
  const stream = Readable.from(tar as AsyncIterable<Uint8Array>);
  if (options.format === "tar") return stream;
  const gzip = createGzip();
  stream.on("error", (error: Error) => gzip.destroy(error));
  gzip.on("close", () => stream.destroy());
  return stream.pipe(gzip);
}

async function fillTar(
  tar: Pack,
  reader: GitReader,
  entries: readonly ArchiveEntry[],
  signal: AbortSignal,
): Promise<void> {
  for (const { name, target } of entries) {
    if (target === undefined) continue;
    await new Promise<void>((resolve, reject) => {
      const header = { name, type: "symlink", linkname: target, mode: linkMode, mtime: time } as const;
      tar.entry(header, (error) => (error ? reject(error) : resolve()));
    });
  }
  const files = entries.filter(({ target }) => target === undefined);
  await reader.streamAll(
    files.map(({ entry }) => entry),
    async (index, pieces) => {
      const { name, entry } = files[index] as ArchiveEntry;
      const mode = entry.executable ? executableMode : fileMode;
      await new Promise<void>((resolve, reject) => {
        const header = { name, size: entry.bytes, mode, mtime: time };
        const file = tar.entry(header, (error) => (error ? reject(error) : resolve()));
        pieces(async (piece) => {
          if (!file.write(piece)) await drained(file);
        }).then(() => void file.end(null), reject);
      });
    },
    signal,
  );
}

/** Resolves when there is room for more, or nobody takes anything any more. */
function drained(stream: {
  on(event: "drain" | "close", done: () => void): unknown;
  off(event: "drain" | "close", done: () => void): unknown;
  destroyed: boolean;
}): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off("drain", done);
      stream.off("close", done);
      resolve();
    };
    stream.on("drain", done);
    stream.on("close", done);
    if (stream.destroyed) done();
  });
}

function packZip(reader: GitReader, entries: readonly ArchiveEntry[], signal: AbortSignal): Readable {
  const zip = new ZipFile();
  const output = zip.outputStream as PassThrough;
  zip.on("error", (error: Error) => output.destroy(error));
  for (const { name, target } of entries) {
    if (target === undefined) continue;
    zip.addBuffer(Buffer.from(target), name, { mtime: time, mode: 0o120000 | linkMode });
  }
  const files = entries.filter(({ target }) => target === undefined);
  const fill = reader.streamAll(
    files.map(({ entry }) => entry),
    async (index, pieces) => {
      const { name, entry } = files[index] as ArchiveEntry;
      const content = new PassThrough();
      const taken = new Promise((resolve) => content.once("close", resolve));
      const abandon = () => content.destroy();
      output.once("close", abandon);
      const mode = 0o100000 | (entry.executable ? executableMode : fileMode);
      zip.addReadStream(content, name, { mtime: time, mode, size: entry.bytes });
      await pieces(async (piece) => {
        if (!content.write(piece)) await drained(content);
        if (output.destroyed) throw new Error("nobody takes the archive any more");
      });
      content.end();
      await taken; // before the next is read: small files would pile up otherwise
      output.off("close", abandon);
    },
    signal,
  );
  fill.then(
    () => zip.end(),
    (error: Error) => output.destroy(error),
  );
  return output;
}
