import { createHash, randomBytes } from "node:crypto";
import { createReadStream, type ReadStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { syncFolder } from "#core/atomic-file";
import { isSystemError } from "#core/errors";

/** The form of every object id; anything else never reaches a path. */
export const oidPattern = /^[0-9a-f]{64}$/;
const staleMs = 24 * 3_600_000; // an upload that a crash broke off is removed after this

/** Large objects of one project, inside its repository's folder: they go when it goes. */
export class LfsObjects {
  readonly #folder: string;

  constructor(gitDir: string) {
    this.#folder = join(gitDir, "lfs");
  }

  /** Bytes of an object; `undefined` where there is none. */
  async size(oid: string): Promise<number | undefined> {
    try {
      return (await stat(this.#path(oid))).size;
    } catch (error) {
      if (isSystemError(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  read(oid: string): ReadStream {
    return createReadStream(this.#path(oid));
  }

  /** Keeps what comes if it is what it is called, and at most `maxBytes`. Written again it is the same. */
  async write(
    oid: string,
    content: AsyncIterable<Uint8Array>,
    maxBytes: number,
  ): Promise<"kept" | "too large" | "another content"> {
    const incomplete = join(this.#folder, "incomplete");
    await mkdir(incomplete, { recursive: true, mode: 0o700 });
    await removeStale(incomplete);
    const temporary = join(incomplete, randomBytes(8).toString("hex"));
    const hash = createHash("sha256");
    let bytes = 0;
    try {
      const file = await open(temporary, "wx", 0o600);
      try {
        for await (const piece of content) {
          bytes += piece.byteLength;
          if (bytes > maxBytes) return "too large";
          hash.update(piece);
          await file.writeFile(piece);
        }
        await file.sync();
      } finally {
        await file.close();
      }
      if (hash.digest("hex") !== oid) return "another content";
      const path = this.#path(oid);
      await mkdir(join(path, ".."), { recursive: true, mode: 0o700 });
      await rename(temporary, path);
      await syncFolder(join(path, ".."));
      return "kept";
    } finally {
      await rm(temporary, { force: true });
    }
  }

  #path(oid: string): string {
    if (!oidPattern.test(oid)) throw new RangeError("not an object id");
    return join(this.#folder, "objects", oid.slice(0, 2), oid.slice(2, 4), oid);
  }
}

async function removeStale(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined); // another upload has ended meanwhile
    if (found && Date.now() - found.mtimeMs > staleMs) await rm(path, { force: true });
  }
}
