import { constants } from "node:fs";
import { type FileHandle, lstat, open } from "node:fs/promises";
import { join } from "node:path";
import { isSystemError } from "#core/errors";

const maxDepth = 32; // folders below outputs/

/** An opened output. The caller closes the file. */
export interface OpenOutput {
  file: FileHandle;
  bytes: number;
}

/**
 * Opens one kept file of a run for reading. Only regular files below `outputs/` that are reached through real
 * folders: a link anywhere on the way, a device, a pipe, `..` or an absolute path is as good as not there.
 */
export async function openOutput(runFolder: string, path: string): Promise<OpenOutput | undefined> {
  const segments = path.split("/");
  const isPlain = segments.every(
    (name) => name !== "" && name !== "." && name !== ".." && !name.includes("\0"),
  );
  if (!isPlain || segments.length > maxDepth) return undefined;
  let folder = join(runFolder, "outputs");
  for (const name of ["", ...segments.slice(0, -1)]) {
    folder = join(folder, name);
    if (!(await isRealFolder(folder))) return undefined;
  }
  return await openRegular(join(folder, segments.at(-1) ?? ""));
}

async function isRealFolder(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isDirectory();
  } catch (error) {
    if (isNotThere(error)) return false;
    throw error;
  }
}

async function openRegular(path: string): Promise<OpenOutput | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (isNotThere(error)) return undefined;
    throw error;
  }
  const found = await file.stat();
  if (found.isFile()) return { file, bytes: found.size };
  await file.close();
  return undefined;
}

function isNotThere(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR", "ELOOP", "ENXIO", "ENAMETOOLONG"].some((code) => isSystemError(error, code));
}
