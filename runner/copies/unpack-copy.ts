import { createHash } from "node:crypto";
import { chmod, mkdir, open, symlink } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import tar from "tar-stream";
import { ActionNeededError } from "#core/errors";
import type { CopiedFiles } from "#schemas/run";
import { checkLinks, checkListing, type ListedEntry } from "#schemas/tree/check-listing";
import { maxCopyBytes, maxCopyFiles } from "./copy-limits.ts";

// As in a snapshot: twins run as another user on an overlay above it, and a file that is copied up keeps its mode.
const folderMode = 0o777;
const fileMode = 0o666;
const executableMode = 0o777;
const maxHeaderBytes = 200;

/** One name of a copy. */
export interface CopiedEntry extends ListedEntry {
  executable: boolean;
  /** SHA-256 of the content, or of the target of a link. */
  id: string;
  /** Of a link. */
  target?: string;
}

export interface UnpackedCopy {
  about: CopiedFiles;
  entries: CopiedEntry[];
}

/**
 * Writes what came out of a workspace to a new folder: a line with the commit, then a tar. Whoever sent it is not trusted: names
 * are judged as those of a repository, nothing is written through a link (links come last), and it ends at the limits
 * whatever was promised. `ActionNeededError("COPY_REFUSED")` with the path at fault.
 */
export async function unpackCopy(output: AsyncIterable<Uint8Array>, into: string): Promise<UnpackedCopy> {
  const { base, rest } = await readHeader(output);
  await makeFolder(into);
  const entries: CopiedEntry[] = [];
  const folders = new Set<string>([""]);
  const taken = new Set<string>(); // by files and links
  let bytes = 0;
  const extract = tar.extract();
  const writing = (async () => {
    for await (const entry of extract) {
      const { name: path, type, size = 0, linkname = "", mode = 0 } = entry.header;
      if (type !== "file" && type !== "symlink") throw refused(path, "it is neither a file nor a link");
      const isLink = type === "symlink";
      bytes += isLink ? Buffer.byteLength(linkname) : size;
      if (entries.length >= maxCopyFiles || bytes > maxCopyBytes) {
        throw refused(
          "",
          `a copy may have ${maxCopyFiles} files and ${maxCopyBytes / 1024 ** 2} MiB: commit less, or name what is generated in .gitignore`,
        );
      }
      const parents = parentsOf(path).filter((folder) => !folders.has(folder));
      const listed: CopiedEntry = {
        ...{ path, kind: isLink ? "link" : "file", executable: !isLink && (mode & 0o111) !== 0 },
        ...(isLink ? { bytes: Buffer.byteLength(linkname), target: linkname } : { bytes: size }),
        id: "",
      };
      const above = parentsOf(path).map((folder) => ({ path: folder, kind: "folder" as const, bytes: 0 }));
      refuseIfAny(checkListing([...above, listed]));
      for (const folder of parents) {
        if (taken.has(folder)) throw refused(path, "it lies in something that is no folder");
        await makeFolder(join(into, folder));
        folders.add(folder);
      }
      if (taken.has(path) || folders.has(path)) throw refused(path, "the name is there twice");
      taken.add(path);
      if (isLink) {
        entry.resume();
        entries.push({ ...listed, id: hashOf(linkname) });
      } else {
        entries.push({ ...listed, id: await writeFile(join(into, path), listed.executable, entry) });
      }
    }
  })();
  await Promise.all([pipeline(Readable.from(rest, { objectMode: false }), extract), writing]);
  const all = [...[...folders].filter(Boolean).map(folderEntry), ...entries];
  all.sort((a, b) => (a.path < b.path ? -1 : 1));
  refuseIfAny(checkListing(all));
  refuseIfAny(
    checkLinks(
      all,
      new Map(all.flatMap(({ path, target }) => (target === undefined ? [] : [[path, target]]))),
    ),
  );
  for (const { path, target } of all) if (target !== undefined) await symlink(target, join(into, path));
  return { about: { base, digest: digestOf(entries), files: entries.length, bytes }, entries: all };
}

/** Equal digest, equal files: what they are called, how they are executed, what is in them. */
function digestOf(entries: readonly CopiedEntry[]): string {
  const lines = entries.map(({ path, kind, executable, id }) => JSON.stringify([path, kind, executable, id]));
  return hashOf(lines.sort().join("\n"));
}

async function readHeader(
  output: AsyncIterable<Uint8Array>,
): Promise<{ base: string; rest: AsyncGenerator<Uint8Array> }> {
  const pieces = output[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (!head.includes(0x0a)) {
    const next = await pieces.next();
    if (next.done || head.length > maxHeaderBytes)
      throw refused("", "what came out of the workspace is no copy");
    head = Buffer.concat([head, next.value]);
  }
  const end = head.indexOf(0x0a);
  const base = /^dtaas-copy 1 ([0-9a-f]{40}|[0-9a-f]{64})$/.exec(head.toString("latin1", 0, end))?.[1];
  if (base === undefined) throw refused("", "what came out of the workspace is no copy");
  const rest = async function* (): AsyncGenerator<Uint8Array> {
    try {
      if (head.length > end + 1) yield head.subarray(end + 1);
      for (;;) {
        const next = await pieces.next();
        if (next.done) return;
        yield next.value;
      }
    } finally {
      await pieces.return?.();
    }
  };
  return { base, rest: rest() };
}

async function writeFile(
  path: string,
  executable: boolean,
  content: AsyncIterable<unknown>,
): Promise<string> {
  const hash = createHash("sha256");
  const file = await open(path, "wx", 0o600);
  try {
    for await (const piece of content) {
      hash.update(piece as Buffer);
      await file.writeFile(piece as Buffer);
    }
    await file.chmod(executable ? executableMode : fileMode); // the process's umask has no say
  } finally {
    await file.close();
  }
  return hash.digest("hex");
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { mode: 0o700 });
  await chmod(path, folderMode);
}

function folderEntry(path: string): CopiedEntry {
  return { path, kind: "folder", executable: false, bytes: 0, id: "" };
}

/** From the outermost to the innermost. */
function parentsOf(path: string): string[] {
  const parents: string[] = [];
  for (let folder = posix.dirname(path); folder !== "." && folder !== "/"; folder = dirname(folder)) {
    parents.unshift(folder);
  }
  return parents;
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function refuseIfAny(problems: readonly { path: string; message: string }[]): void {
  const [first] = problems;
  if (first) throw refused(first.path, first.message);
}

function refused(path: string, message: string): ActionNeededError {
  const name = path === "" ? "" : `${JSON.stringify(path)}: `;
  return new ActionNeededError("COPY_REFUSED", `${name}${message}`, {
    where: path === "" ? {} : { file: path },
  });
}
