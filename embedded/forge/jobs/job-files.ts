import { copyFile, link, mkdir, open, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isSystemError } from "#core/errors";

/** Traces and artifacts of jobs that have ended, one folder each. */
export class JobFiles {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  tracePath(jobId: number): string {
    return join(this.#folder, String(jobId), "trace");
  }

  artifactsPath(jobId: number): string {
    return join(this.#folder, String(jobId), "artifacts.tar");
  }

  /** Keeps a file of the runner's; `false` where there is none. Without a copy where the disk can. */
  async keep(from: string, to: string, jobId: number): Promise<boolean> {
    await mkdir(join(this.#folder, String(jobId)), { recursive: true, mode: 0o700 });
    await rm(to, { force: true });
    try {
      await link(from, to);
    } catch (error) {
      if (isSystemError(error, "ENOENT")) return false;
      await copyFile(from, to);
    }
    return true;
  }

  async writeTrace(jobId: number, text: string): Promise<void> {
    await mkdir(join(this.#folder, String(jobId)), { recursive: true, mode: 0o700 });
    await writeFile(this.tracePath(jobId), text, { mode: 0o600 });
  }

  async removeArtifacts(jobId: number): Promise<void> {
    await rm(this.artifactsPath(jobId), { force: true });
  }

  async remove(jobId: number): Promise<void> {
    await rm(join(this.#folder, String(jobId)), { recursive: true, force: true });
  }
}

/** What stands in a file from `offset` on; `undefined` where there is no file. */
export async function readFrom(
  path: string,
  offset: number,
  maxBytes: number,
): Promise<{ bytes: Buffer; size: number } | undefined> {
  try {
    const file = await open(path, "r");
    try {
      const { size } = await file.stat();
      const length = Math.max(0, Math.min(size - offset, maxBytes));
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
      return { bytes: buffer.subarray(0, bytesRead), size };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return undefined;
    throw error;
  }
}

export async function sizeOf(path: string): Promise<number | undefined> {
  return await stat(path).then(
    (found) => found.size,
    () => undefined,
  );
}
