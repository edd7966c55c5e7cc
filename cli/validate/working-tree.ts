import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { type Dirent, readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { isSystemError } from "#core/errors";
import type { RepositoryTree, TreeEntry } from "#schemas/repository-tree";

const maxListingBytes = 64 * 1024 * 1024;

/** A repository's files as they lie in a folder, whether committed or not. */
export interface WorkingTree extends RepositoryTree {
  root: string;
  /** Content of a file; `undefined` for what is none. Reads at most `maxBytes` and one more. */
  read(path: string, maxBytes: number): Promise<Uint8Array | undefined>;
}

/**
 * What a commit of this folder would hold: in a Git work tree files that Git ignores are left out. Links are followed
 * as long as they stay inside. Ids are those Git gives, worked out when they are asked for.
 */
export function workingTree(folder: string): WorkingTree {
  const root = realpathSync(folder);
  const known = committable(root);
  const ids = new Map<string, string>();

  /** Where a path really is, if that is inside and would be committed. */
  const locate = (path: string): string | undefined => {
    try {
      const real = realpathSync(join(root, path));
      const inside = relative(root, real).split(sep).join("/");
      if (inside === ".." || inside.startsWith("../") || inside.split("/")[0] === ".git") return undefined;
      return inside === "" || known === undefined || known.has(inside) ? real : undefined;
    } catch (error) {
      if (["ENOENT", "ENOTDIR", "ELOOP"].some((code) => isSystemError(error, code))) return undefined;
      throw error;
    }
  };
  const entry = (path: string): TreeEntry | undefined => {
    const real = locate(path);
    const found = real === undefined ? undefined : statSync(real);
    if (real === undefined || !found || !(found.isFile() || found.isDirectory())) return undefined;
    const kind = found.isFile() ? "file" : "folder";
    return {
      kind,
      executable: kind === "file" && (found.mode & 0o111) !== 0,
      ...(kind === "file" ? { bytes: found.size } : {}),
      get id() {
        return gitId(real, { ids, isKnown: (inside) => known === undefined || known.has(inside), root });
      },
    };
  };
  return {
    root,
    entry,
    list: (path) => {
      const real = locate(path);
      if (real === undefined || !statSync(real).isDirectory()) return [];
      const inside = path === "" ? "" : `${path}/`;
      return readdirSync(real)
        .filter((name) => entry(`${inside}${name}`) !== undefined)
        .sort();
    },
    read: async (path, maxBytes) => {
      const real = locate(path);
      if (real === undefined || !statSync(real).isFile()) return undefined;
      const file = await open(real, "r");
      try {
        const buffer = Buffer.alloc(Math.min((await file.stat()).size, maxBytes + 1));
        const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
        return buffer.subarray(0, bytesRead);
      } finally {
        await file.close();
      }
    },
  };
}

/** Paths of files that Git tracks or would add, and of the folders above them; `undefined` outside of a work tree. */
function committable(root: string): Set<string> | undefined {
  let listing: string;
  try {
    // A repository of somebody else must not get to run its own programs here.
    const safe = ["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"];
    const args = [...safe, "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    listing = execFileSync("git", args, {
      encoding: "utf8",
      maxBuffer: maxListingBytes,
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch {
    return undefined; // no Git here, or no work tree: everything counts
  }
  const paths = new Set<string>();
  for (const file of listing.split("\0")) {
    for (
      let path = file;
      path !== "" && !paths.has(path);
      path = path.slice(0, Math.max(0, path.lastIndexOf("/")))
    ) {
      paths.add(path);
    }
  }
  return paths.size === 0 ? undefined : paths; // a folder that Git ignores as a whole was given on purpose
}

interface Hashing {
  root: string;
  ids: Map<string, string>;
  isKnown: (inside: string) => boolean;
}

/** Git's own id of what lies at this real path: of the content, not of where it is or when it was made. */
function gitId(real: string, hashing: Hashing): string {
  const known = hashing.ids.get(real);
  if (known !== undefined) return known;
  const id = statSync(real).isDirectory()
    ? objectId("tree", treeContent(real, hashing))
    : objectId("blob", readFileSync(real));
  hashing.ids.set(real, id);
  return id;
}

function treeContent(folder: string, hashing: Hashing): Buffer {
  const children = readdirSync(folder, { withFileTypes: true }).flatMap((child) => {
    const path = join(folder, child.name);
    const inside = relative(hashing.root, path).split(sep).join("/");
    if (child.name === ".git" || !hashing.isKnown(inside)) return [];
    const mode = modeOf(path, child);
    if (mode === undefined || (mode === "40000" && isEmptyTree(path, hashing))) return [];
    const id = mode === "120000" ? objectId("blob", Buffer.from(readlinkSync(path))) : gitId(path, hashing);
    return [{ name: child.name, mode, id }];
  });
  // Git sorts by bytes, a folder as if its name ended with a slash.
  const order = (child: { name: string; mode: string }) =>
    Buffer.from(child.mode === "40000" ? `${child.name}/` : child.name);
  children.sort((a, b) => Buffer.compare(order(a), order(b)));
  return Buffer.concat(
    children.flatMap(({ name, mode, id }) => [Buffer.from(`${mode} ${name}\0`), Buffer.from(id, "hex")]),
  );
}

function modeOf(path: string, child: Dirent): string | undefined {
  if (child.isSymbolicLink()) return "120000";
  if (child.isDirectory()) return "40000";
  if (!child.isFile()) return undefined;
  return (statSync(path).mode & 0o111) === 0 ? "100644" : "100755";
}

function isEmptyTree(folder: string, hashing: Hashing): boolean {
  return treeContent(folder, hashing).length === 0; // Git keeps no empty folders
}

function objectId(kind: "blob" | "tree", content: Buffer): string {
  return createHash("sha1").update(`${kind} ${content.length}\0`).update(content).digest("hex");
}
