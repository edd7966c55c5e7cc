import { createWriteStream } from "node:fs";
import { lstat, mkdir, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract } from "tar-stream";
import { ActionNeededError, isSystemError } from "#core/errors";

/**
 * Unpacks an archive of the library to `into`, which must not be there: `top` itself becomes that file or folder. Links
 * are made last, so that nothing is written through one, and what would lie elsewhere is refused.
 */
export async function unpack(stream: Readable, { into, top }: { into: string; top: string }): Promise<void> {
  const tar = extract();
  const links: { path: string; target: string }[] = [];
  const filled = pipeline(stream, tar);
  filled.catch(() => {}); // told below
  for await (const entry of tar) {
    const { name, type, linkname, mode } = entry.header;
    const path = join(into, inside(name, top));
    if (type === "symlink") {
      links.push({ path, target: linkname });
      entry.resume();
      continue;
    }
    await mkdir(dirname(path), { recursive: true });
    const permissions = (mode & 0o100) === 0 ? 0o666 : 0o777; // the umask takes away what is too much
    await pipeline(
      entry as AsyncIterable<Uint8Array>,
      createWriteStream(path, { flags: "wx", mode: permissions }),
    );
  }
  await filled;
  for (const { path, target } of links) {
    await mkdir(dirname(path), { recursive: true });
    await symlink(target, path);
  }
  if (!(await isThere(into))) await mkdir(into); // a folder that holds nothing
}

/** The name below `top`; the empty path for a file that is `top` itself. */
function inside(name: string, top: string): string {
  const isSafe = name
    .split("/")
    .every((part) => part !== "" && part !== "." && part !== ".." && part !== ".git");
  if (!isSafe || !(top === "" || name === top || name.startsWith(`${top}/`))) {
    throw new ActionNeededError(
      "ANSWER_ODD",
      `the archive holds ${JSON.stringify(name)}, which leads elsewhere`,
    );
  }
  return top === "" ? name : name.slice(top.length + 1);
}

export async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return false;
    throw error;
  }
}
