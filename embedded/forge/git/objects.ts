import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { inflate } from "node:zlib";
import { isSystemError } from "#core/errors";
import { type GitCommit, parseCommit } from "./commit.ts";
import type { Git } from "./git.ts";
import { LruMap } from "./lru-map.ts";
import { isObjectId } from "./ref-name.ts";
import { branchHead, tagTarget } from "./refs.ts";

const commitsKept = 10_000; // commits are small and never change
const maxCommitBytes = 1024 * 1024; // a commit with a longer message is read by git only
const unzip = promisify(inflate);

/** Reads commits, mostly without starting git: those just pushed lie loose on disk. */
export class Objects {
  readonly #git: Git;
  readonly #commits = new LruMap<string, GitCommit>(commitsKept);

  constructor(git: Git) {
    this.#git = git;
  }

  /** `undefined` where the repository has no such commit. */
  async commit(gitDir: string, id: string): Promise<GitCommit | undefined> {
    if (!isObjectId(id)) return undefined;
    const key = `${gitDir}:${id}`;
    const kept = this.#commits.get(key);
    if (kept) return kept;
    const content = (await readLooseCommit(gitDir, id)) ?? (await this.#readPackedCommit(gitDir, id));
    if (!content) return undefined;
    const commit = parseCommit(id, content);
    this.#commits.set(key, commit);
    return commit;
  }

  /** The commit that a full or short identifier, a branch or a tag means; `undefined` for none. */
  async resolve(gitDir: string, revision: string): Promise<GitCommit | undefined> {
    if (isObjectId(revision)) {
      const commit = await this.commit(gitDir, revision);
      if (commit) return commit;
    }
    const head = await branchHead(gitDir, revision.replace(/^refs\/heads\//, ""));
    if (head) return await this.commit(gitDir, head);
    const tag = await tagTarget(gitDir, revision.replace(/^refs\/tags\//, ""));
    if (!tag && !/^[0-9a-f]{4,40}$/.test(revision) && revision !== "HEAD") return undefined;
    const wanted = `${tag ?? revision}^{commit}`;
    const found = await this.#git.run(gitDir, [
      "rev-parse",
      "--verify",
      "--quiet",
      "--end-of-options",
      wanted,
    ]);
    return found.code === 0 ? await this.commit(gitDir, found.stdout.toString("utf8").trim()) : undefined;
  }

  async #readPackedCommit(gitDir: string, id: string): Promise<Uint8Array | undefined> {
    // `cat-file commit` would take the id of a tag as well, and the answer would stand under the wrong id.
    const { stdout } = await this.#git.run(gitDir, ["cat-file", "--batch"], { input: `${id}\n` });
    const headEnd = stdout.indexOf("\n") + 1;
    const size = /^[0-9a-f]{40} commit (\d+)\n/.exec(stdout.subarray(0, headEnd).toString("latin1"))?.[1];
    return size === undefined ? undefined : stdout.subarray(headEnd, headEnd + Number(size));
  }
}

async function readLooseCommit(gitDir: string, id: string): Promise<Uint8Array | undefined> {
  try {
    const zipped = await readFile(join(gitDir, "objects", id.slice(0, 2), id.slice(2)));
    const object = await unzip(zipped, { maxOutputLength: maxCommitBytes });
    const start = object.indexOf(0) + 1;
    return object.subarray(0, 7).toString("latin1") === "commit " ? object.subarray(start) : undefined;
  } catch (error) {
    if (isSystemError(error, "ENOENT") || isSystemError(error, "ERR_BUFFER_TOO_LARGE")) return undefined;
    throw error;
  }
}
