import { type Dirent, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { isSystemError } from "#core/errors";
import { isBranchName, isObjectId, zeroId } from "./ref-name.ts";

const maxPackedBytes = 1024 * 1024; // about 15,000 refs; a longer list is git's own to read
const maxRefs = 2_000; // nobody else is served while they are read; more are git's own to read

export interface Ref {
  /** Full name, such as `refs/heads/main`. */
  name: string;
  id: string;
}

export interface Refs {
  /** Where `HEAD` leads, whether that branch is there or not. */
  head: string;
  /** In the order of their names' bytes, as git lists them. */
  refs: Ref[];
}

/**
 * The refs whose names begin with one of these prefixes, and what `HEAD` leads to, read from the repository's files
 * without starting git. `undefined` where anything is not quite plain (a detached `HEAD`, a ref that points to a ref, a
 * link, an odd name, too many of them): git itself knows then.
 */
export function listRefs(gitDir: string, prefixes: readonly string[]): Refs | undefined {
  const head = /^ref: (refs\/heads\/[^\n]+)\n$/.exec(readIfThere(join(gitDir, "HEAD")) ?? "")?.[1];
  if (head === undefined) return undefined;
  const found = { prefixes: [...prefixes, head], ids: new Map<string, string>() };
  // Loose ones first: whoever packs refs writes the packed file before it removes the others.
  if (!readLoose(gitDir, "refs/", found) || !readPacked(gitDir, found)) return undefined;
  const isPlain = [...found.ids].every(([name, id]) => isBranchName(name) && isPlainId(id));
  if (!isPlain || found.ids.size > maxRefs) return undefined;
  const refs = [...found.ids].map(([name, id]) => ({ name, id }));
  return { head, refs: refs.sort(byBytes) };
}

interface Found {
  prefixes: readonly string[];
  ids: Map<string, string>;
}

/** `false` where there is something other than files and folders. */
function readLoose(gitDir: string, folder: string, found: Found): boolean {
  for (const entry of entriesOf(join(gitDir, folder))) {
    if (entry.name.startsWith(".") || entry.name.endsWith(".lock")) continue; // no refs for git either
    const name = folder + entry.name;
    if (entry.isDirectory()) {
      const mayHold = found.prefixes.some(
        (prefix) => prefix.startsWith(`${name}/`) || `${name}/`.startsWith(prefix),
      );
      if (mayHold && !readLoose(gitDir, `${name}/`, found)) return false;
    } else if (isWanted(name, found)) {
      if (!entry.isFile()) return false;
      const text = readIfThere(join(gitDir, name));
      if (text !== undefined) found.ids.set(name, text.trimEnd()); // else removed or packed in this very moment
      if (found.ids.size > maxRefs) return false;
    }
  }
  return true;
}

function readPacked(gitDir: string, found: Found): boolean {
  const path = join(gitDir, "packed-refs");
  const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (bytes > maxPackedBytes) return false;
  const text = bytes === 0 ? "" : (readIfThere(path) ?? "");
  for (const line of text.split("\n")) {
    if (line[40] !== " " || line.startsWith("#")) continue;
    const name = line.slice(41);
    if (isWanted(name, found) && !found.ids.has(name)) found.ids.set(name, line.slice(0, 40));
  }
  return true;
}

function isWanted(name: string, { prefixes }: Found): boolean {
  return prefixes.some((prefix) => name.startsWith(prefix));
}

function isPlainId(id: string): boolean {
  return isObjectId(id) && id !== zeroId;
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (isSystemError(error, "ENOENT") || isSystemError(error, "ENOTDIR")) return [];
    throw error;
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isSystemError(error, "ENOENT") || isSystemError(error, "ENOTDIR")) return undefined;
    throw error;
  }
}

function byBytes(a: Ref, b: Ref): number {
  return Buffer.compare(Buffer.from(a.name), Buffer.from(b.name));
}
