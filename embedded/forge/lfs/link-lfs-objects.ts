import { link, mkdir, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isSystemError } from "#core/errors";
import { oidPattern } from "./lfs-objects.ts";

/** Gives one repository large objects of another, all or those named, without copying their bytes. Objects never change. */
export async function linkLfsObjects(
  fromGitDir: string,
  toGitDir: string,
  oids?: readonly string[],
): Promise<void> {
  const [from, to] = [join(fromGitDir, "lfs", "objects"), join(toGitDir, "lfs", "objects")];
  const wanted =
    oids ?? (await readdir(from, { recursive: true }).catch(noneThere)).map((name) => name.slice(-64));
  for (const oid of wanted) {
    if (!oidPattern.test(oid)) continue;
    const name = join(oid.slice(0, 2), oid.slice(2, 4), oid);
    await mkdir(dirname(join(to, name)), { recursive: true, mode: 0o700 });
    await link(join(from, name), join(to, name)).catch((error: unknown) => {
      // There already, or never uploaded.
      if (!isSystemError(error, "EEXIST") && !isSystemError(error, "ENOENT")) throw error;
    });
  }
}

function noneThere(error: unknown): string[] {
  if (isSystemError(error, "ENOENT")) return [];
  throw error;
}
