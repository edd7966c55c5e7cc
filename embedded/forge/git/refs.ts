import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readTextIfThere } from "#core/atomic-file";
import { isSystemError } from "#core/errors";
import { isBranchName, isObjectId } from "./ref-name.ts";

/** What a branch points at, read from the repository's files without starting git. */
export function branchHead(gitDir: string, branch: string): Promise<string | undefined> {
  return isBranchName(branch) ? readRef(gitDir, `refs/heads/${branch}`) : Promise.resolve(undefined);
}

/** What a tag points at: a commit, or a tag object for an annotated one. */
export function tagTarget(gitDir: string, tag: string): Promise<string | undefined> {
  return isBranchName(tag) ? readRef(gitDir, `refs/tags/${tag}`) : Promise.resolve(undefined);
}

async function readRef(gitDir: string, ref: string): Promise<string | undefined> {
  const loose = readLooseRef(join(gitDir, ref))?.trim();
  if (loose !== undefined && isObjectId(loose)) return loose;
  const packed = (await readTextIfThere(join(gitDir, "packed-refs"))) ?? "";
  const end = packed.indexOf(` ${ref}\n`);
  const id = end < 40 ? "" : packed.slice(end - 40, end);
  return isObjectId(id) ? id : undefined;
}

/** At once: 41 bytes are read long before a thread has been asked to. */
function readLooseRef(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    // EISDIR: `refs/heads/a` where only `a/b` is a branch.
    const absent = ["ENOENT", "ENOTDIR", "EISDIR"].some((code) => isSystemError(error, code));
    if (absent) return undefined;
    throw error;
  }
}
