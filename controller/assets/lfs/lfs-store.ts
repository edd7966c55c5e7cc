import { createHash, randomBytes } from "node:crypto";
import { chmod, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { isSystemError, TryLaterError } from "#core/errors";
import type { LfsPointer } from "./lfs-pointer.ts";

const retryAfterMs = 5_000;
const fileMode = 0o666; // as other files of a snapshot

/**
 * Large files by the hash of their content, once for each project, beside the snapshots and linked into them. Not shared
 * between projects: whoever knows a hash must not get what only others may read.
 */
export class LfsStore {
  readonly #folder: string;
  /** Half-made files that somebody is writing. */
  readonly #writing = new Set<string>();

  /** `folder`: on the file system of the snapshots, and as closed to others as they are. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  path(projectId: number, oid: string): string {
    if (!/^[0-9a-f]{64}$/.test(oid)) throw new RangeError("not the id of a large file");
    return join(this.#folder, String(projectId), oid.slice(0, 2), oid);
  }

  async has(projectId: number, { oid, bytes }: LfsPointer): Promise<boolean> {
    const found = await stat(this.path(projectId, oid)).catch(() => undefined);
    return found?.size === bytes;
  }

  /**
   * Keeps what comes if it has the size and the hash it should have; `false` if not. What breaks off is
   * `TryLaterError`. It is on disk when this resolves.
   */
  async write(
    projectId: number,
    { oid, bytes }: LfsPointer,
    content: AsyncIterable<Uint8Array>,
  ): Promise<boolean> {
    const path = this.path(projectId, oid);
    await mkdir(join(path, ".."), { recursive: true, mode: 0o700 });
    const temporary = join(path, "..", `.new-${randomBytes(8).toString("hex")}`);
    this.#writing.add(temporary);
    try {
      const file = await open(temporary, "wx", 0o600);
      try {
        if (!(await copy(content, { oid, bytes }, (piece) => file.writeFile(piece)))) return false;
        await file.sync();
      } finally {
        await file.close();
      }
      await chmod(temporary, fileMode);
      await rename(temporary, path);
      return true;
    } finally {
      await rm(temporary, { force: true });
      this.#writing.delete(temporary);
    }
  }

  /** Removes what no snapshot links to and was not fetched within `graceMs`, and at once what a crash left half done. */
  async sweep(graceMs: number): Promise<number> {
    let gone = 0;
    for (const project of await names(this.#folder)) {
      for (const part of await names(join(this.#folder, project))) {
        for (const name of await names(join(this.#folder, project, part))) {
          const path = join(this.#folder, project, part, name);
          if (this.#writing.has(path)) continue;
          const found = await stat(path).catch(() => undefined);
          const isHalf = name.startsWith(".");
          if (!found || found.nlink > 1 || (!isHalf && Date.now() - found.ctimeMs < graceMs)) continue;
          await rm(path, { force: true });
          gone += 1;
        }
      }
    }
    return gone;
  }
}

async function copy(
  content: AsyncIterable<Uint8Array>,
  { oid, bytes }: LfsPointer,
  write: (piece: Uint8Array) => Promise<void>,
): Promise<boolean> {
  const hash = createHash("sha256");
  let taken = 0;
  const pieces = content[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await pieces.next().catch((cause: unknown) => {
        throw new TryLaterError("A large file broke off on its way", { retryAfterMs, cause });
      });
      if (next.done) break;
      taken += next.value.byteLength;
      if (taken > bytes) return false;
      hash.update(next.value);
      await write(next.value);
    }
  } finally {
    await pieces.return?.();
  }
  return taken === bytes && hash.digest("hex") === oid;
}

async function names(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isSystemError(error, "ENOENT") || isSystemError(error, "ENOTDIR")) return [];
    throw error;
  }
}
