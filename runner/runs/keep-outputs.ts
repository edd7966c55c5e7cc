import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import tar from "tar-stream";
import { isSystemError } from "#core/errors";
import type { Containers } from "../engine/engine.ts";

// What one run may leave behind.
const maxOutputFiles = 5_000;
const maxOutputBytes = 1024 * 1024 * 1024;

export interface KeptOutputs {
  files: { path: string; bytes: number }[];
  /** Said when something was left out. */
  remark?: string;
}

/**
 * Copies the declared outputs out of a stopped container into the run's `outputs/`. Regular files only; links and
 * devices are left out, names that would leave the folder cannot occur. Nothing that was written by the twin is
 * opened on the host.
 */
export async function keepOutputs(
  containers: Pick<Containers, "read">,
  containerId: string,
  outputs: readonly string[],
  folder: string,
): Promise<KeptOutputs> {
  const target = join(folder, "outputs");
  await rm(target, { recursive: true, force: true });
  const kept: KeptOutputs = { files: [] };
  let bytes = 0;
  for (const output of outputs) {
    const archive = await containers.read(containerId, posix.join("/workspace", output));
    if (!archive) continue;
    const base = posix.dirname(posix.normalize(output));
    const extract = tar.extract();
    const copying = (async () => {
      for await (const entry of extract) {
        const path = posix.normalize(posix.join(base, entry.header.name));
        const size = entry.header.size ?? 0;
        const fits = kept.files.length < maxOutputFiles && bytes + size <= maxOutputBytes;
        if (entry.header.type !== "file" || !isInside(path) || !fits) {
          if (entry.header.type === "file" && !fits) {
            kept.remark = `outputs beyond ${maxOutputFiles} files or ${maxOutputBytes / 1024 ** 2} MiB were left out`;
          }
          entry.resume();
          continue;
        }
        const file = await openNew(join(target, path));
        if (file === undefined) {
          kept.remark = "outputs whose names cannot stand side by side, or are too long, were left out";
          entry.resume();
          continue;
        }
        await pipeline(entry, file.createWriteStream());
        bytes += size;
        kept.files.push({ path, bytes: size });
      }
    })();
    await Promise.all([pipeline(Readable.from(archive as AsyncIterable<Uint8Array>), extract), copying]);
  }
  return kept;
}

function isInside(path: string): boolean {
  return path !== "." && path !== ".." && !path.startsWith("../") && !posix.isAbsolute(path);
}

/** `undefined` where another entry of the archive stands in the way, or the disk has no such names. */
async function openNew(path: string): Promise<FileHandle | undefined> {
  try {
    await mkdir(dirname(path), { recursive: true });
    return await open(path, "wx", 0o644);
  } catch (error) {
    const isInTheWay = ["EEXIST", "ENOTDIR", "EISDIR", "ENAMETOOLONG", "EINVAL"].some((code) =>
      isSystemError(error, code),
    );
    if (isInTheWay) return undefined;
    throw error;
  }
}
