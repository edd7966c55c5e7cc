import { randomBytes } from "node:crypto";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { type FileHandle, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { isSystemError } from "./errors.ts";

/**
 * Replaces `path` in one step: a reader sees the old text or the new one, never a part, and the new one is on
 * disk when this resolves. Creates missing parent folders.
 */
export async function writeFileAtomic(path: string, text: string | Uint8Array, mode = 0o644): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const file = await openNew(temporary, mode);
    try {
      await file.writeFile(text);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

export async function writeJsonAtomic(path: string, value: unknown, mode = 0o644): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(value, undefined, 2)}\n`, mode);
}

/**
 * Replaces `path` in one step for every reader and every crash of this process, and waits for no disk: after a power
 * cut it may be an older one, empty or gone. Only for small documents that can be made again, with a reader that takes
 * an unreadable one for none. Creates missing parent folders.
 */
export function writeJsonUnflushed(path: string, value: unknown): void {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  const text = `${JSON.stringify(value, undefined, 2)}\n`;
  try {
    try {
      writeFileSync(temporary, text, { flag: "wx" });
    } catch (error) {
      if (!isSystemError(error, "ENOENT")) throw error;
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(temporary, text, { flag: "wx" });
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** The parsed file, or `undefined` where there is none. A file that is no JSON throws `SyntaxError`. */
export async function readJson(path: string): Promise<unknown> {
  const text = await readTextIfThere(path);
  return text === undefined ? undefined : JSON.parse(text);
}

export async function readTextIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isSystemError(error, "ENOENT") || isSystemError(error, "ENOTDIR")) return undefined;
    throw error;
  }
}

async function openNew(path: string, mode: number): Promise<FileHandle> {
  try {
    return await open(path, "wx", mode);
  } catch (error) {
    if (!isSystemError(error, "ENOENT")) throw error;
    await mkdir(dirname(path), { recursive: true });
    return await open(path, "wx", mode);
  }
}

/** Makes a rename or a new name in this folder survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
