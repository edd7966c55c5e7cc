import { link, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { isSystemError } from "#core/errors";
import { oidPattern } from "./lfs-objects.ts";

/** Gives one repository the large objects of another, without copying their bytes. Objects never change. */
export async function linkLfsObjects(fromGitDir: string, toGitDir: string): Promise<void> {
  const [from, to] = [join(fromGitDir, "lfs", "objects"), join(toGitDir, "lfs", "objects")];
  for (const name of await readdir(from, { recursive: true }).catch(noneThere)) {
    const oid = name.slice(-64);
    if (!oidPattern.test(oid)) continue;
    await mkdir(join(to, oid.slice(0, 2), oid.slice(2, 4)), { recursive: true, mode: 0o700 });
    await link(join(from, name), join(to, name)).catch((error: unknown) => {
      if (!isSystemError(error, "EEXIST") && !isSystemError(error, "ENOENT")) throw error;
    });
  }
}

function noneThere(error: unknown): string[] {
  if (isSystemError(error, "ENOENT")) return [];
  throw error;
}
