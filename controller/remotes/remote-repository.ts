import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ActionNeededError, TryLaterError } from "#core/errors";
import { type GitCall, GitFailed, type GitOptions, runGit } from "../assets/run-git.ts";
import { type CheckedUrl, pinned } from "./check-remote-url.ts";
import { probeRemoteUrl } from "./probe-remote-url.ts";

const deadlineMs = 5 * 60_000; // a first fetch of a large repository over a slow line
const quickMs = 60_000;
const maxPackBytes = 1024 ** 3; // what one fetch may add; stops a remote that fills the disk
const sizeCheckMs = 500;
const maxOutputBytes = 4 * 1024 * 1024;
const theirs = "refs/remote/head"; // where the fetched branch is kept

// The platform makes merges, and says so; nobody else's name stands under what they have not written.
const identity = {
  GIT_AUTHOR_NAME: "DTaaS platform",
  GIT_AUTHOR_EMAIL: "platform@dtaas.invalid",
  GIT_COMMITTER_NAME: "DTaaS platform",
  GIT_COMMITTER_EMAIL: "platform@dtaas.invalid",
};

/** The other host, checked, with the header that signs us in there. */
export interface RemoteHost {
  checked: CheckedUrl;
  authorization?: string;
}

/**
 * A bare repository between two hosts. What the user's mirror has is borrowed, so that only what is new travels; the
 * mirror itself is never written to. It is a cache: whatever is wrong with it, it is removed and made anew.
 */
export class RemoteRepository {
  readonly #gitDir: string;
  readonly #mirror: string;
  readonly #git: GitOptions;
  readonly #signal: AbortSignal;

  constructor(options: { gitDir: string; mirror: string; git: GitOptions; signal: AbortSignal }) {
    this.#gitDir = options.gitDir;
    this.#mirror = options.mirror;
    this.#git = { ...options.git, environment: { ...options.git.environment, ...identity } };
    this.#signal = options.signal;
  }

  get repository(): { git: GitOptions; gitDir: string } {
    return { git: this.#git, gitDir: this.#gitDir };
  }

  /** Makes it where it is not there, and takes away what a killed process has left. */
  async prepare(): Promise<void> {
    if (!(await isThere(join(this.#gitDir, "HEAD")))) {
      await mkdir(this.#gitDir, { recursive: true, mode: 0o700 });
      const args = ["init", "--quiet", "--bare", "--template=", "--", this.#gitDir];
      await runGit(this.#git, { args, timeoutMs: quickMs, maxOutputBytes });
    }
    await mkdir(join(this.#gitDir, "objects", "info"), { recursive: true });
    await writeFile(
      join(this.#gitDir, "objects", "info", "alternates"),
      `${join(this.#mirror, "objects")}\n`,
    );
    for (const name of await readdir(this.#gitDir, { recursive: true })) {
      if (name.endsWith(".lock") || /^objects\/pack\/\.?tmp_/.test(name)) {
        await rm(join(this.#gitDir, name), { force: true });
      }
    }
  }

  async remove(): Promise<void> {
    await rm(this.#gitDir, { recursive: true, force: true });
  }

  /**
   * Fetches a branch, or the default one, and resolves with its head; `undefined` where there is none. Errors: those of
   * `probeRemoteUrl`, `REMOTE_TOO_LARGE`, `TryLaterError`.
   */
  async fetch(host: RemoteHost, branch: string | undefined): Promise<string | undefined> {
    const there = await this.head(host, branch);
    if (there === undefined) return undefined;
    const tooLarge = new AbortController();
    const before = await this.#packBytes();
    const watch = setInterval(async () => {
      if ((await this.#packBytes()) - before > maxPackBytes) tooLarge.abort();
    }, sizeCheckMs);
    const source = branch === undefined ? "HEAD" : `refs/heads/${branch}`;
    const flags = ["--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"];
    const address = host.checked.url.href;
    try {
      await this.#run({
        args: ["fetch", ...flags, "--no-recurse-submodules", "--", address, `+${source}:${theirs}`],
        config: { "fetch.unpackLimit": "1", ...configOf(host) },
        signal: AbortSignal.any([this.#signal, tooLarge.signal]),
        timeoutMs: deadlineMs,
      });
      return (await this.#run({ args: ["rev-parse", "--verify", `${theirs}^{commit}`] })).trim();
    } catch (error) {
      if (tooLarge.signal.aborted) {
        await this.remove();
        throw new ActionNeededError("REMOTE_TOO_LARGE", "The remote is larger than may be fetched", {
          hint: `One fetch may bring at most ${maxPackBytes} bytes.`,
        });
      }
      throw await this.#why(error, host, "git-upload-pack");
    } finally {
      clearInterval(watch);
    }
  }

  /** Head of a branch over there, or of its default one, without fetching; `undefined` where there is none. */
  async head(host: RemoteHost, branch: string | undefined): Promise<string | undefined> {
    const ref = branch === undefined ? "HEAD" : `refs/heads/${branch}`;
    const args = ["ls-remote", "--quiet", "--", host.checked.url.href, ref];
    try {
      const listed = await this.#run({ args, config: configOf(host) });
      const line = listed.split("\n").find((one) => one.endsWith(`\t${ref}`));
      return line === undefined ? undefined : /^[0-9a-f]{40,64}/.exec(line)?.[0];
    } catch (error) {
      throw await this.#why(error, host, "git-upload-pack");
    }
  }

  /** Pushes a commit over there; only forward. `false` when that branch has moved on in the meantime. */
  async push(host: RemoteHost, commit: string, branch: string): Promise<boolean> {
    const args = ["push", "--quiet", "--", host.checked.url.href, `${commit}:refs/heads/${branch}`];
    try {
      await this.#run({ args, config: configOf(host), timeoutMs: deadlineMs });
      return true;
    } catch (error) {
      if (!(error instanceof GitFailed) || error.reason !== "exit") throw this.#later(error);
      await probeRemoteUrl(host.checked, {
        service: "git-receive-pack",
        ...(host.authorization === undefined ? {} : { authorization: host.authorization }),
      });
      return false;
    }
  }

  /** Pushes a commit to the user's own repository, under the platform's account; only forward. */
  async pushHome(
    access: { url: string; username: string; password: string },
    commit: string,
    branch: string,
  ): Promise<boolean> {
    const authorization = Buffer.from(`${access.username}:${access.password}`).toString("base64");
    const config = {
      [`http.${new URL(access.url).origin}/.extraHeader`]: `Authorization: Basic ${authorization}`,
    };
    const args = ["push", "--quiet", "--", access.url, `${commit}:refs/heads/${branch}`];
    try {
      await this.#run({ args, config, timeoutMs: deadlineMs });
      return true;
    } catch (error) {
      if (error instanceof GitFailed && error.reason === "exit") return false;
      throw this.#later(error);
    }
  }

  /** Where both have come from; `undefined` when they have nothing in common. */
  async mergeBase(one: string, other: string): Promise<string | undefined> {
    const found = await this.#run({ args: ["merge-base", one, other], answers: [1] });
    return found.trim() || undefined;
  }

  /** Merges two commits without a work tree: the tree, or the paths that both have changed. */
  async merge(ours: string, other: string): Promise<{ tree: string } | { conflicts: string[] }> {
    const flags = ["--write-tree", "-z", "--name-only", "--no-messages", "--allow-unrelated-histories"];
    const merged = await this.#run({ args: ["merge-tree", ...flags, ours, other], answers: [1] });
    const [tree = "", ...conflicts] = merged.split("\0").filter((part) => part.trim() !== "");
    return conflicts.length > 0 ? { conflicts: [...new Set(conflicts)] } : { tree: tree.trim() };
  }

  async commitMerge(tree: string, parents: [string, string], message: string): Promise<string> {
    const [ours, other] = parents;
    const args = ["commit-tree", "-F", "-", "-p", ours, "-p", other, tree];
    return (await this.#run({ args, input: message })).trim();
  }

  /** Paths that the other side has changed since both were the same. */
  async changedSince(ours: string, other: string): Promise<string[]> {
    const args = ["diff", "--name-only", "--no-renames", "-z", `${ours}...${other}`];
    return (await this.#run({ args })).split("\0").filter(Boolean);
  }

  async #run(call: Partial<GitCall> & { args: string[] }): Promise<string> {
    const defaults = { gitDir: this.#gitDir, signal: this.#signal, timeoutMs: quickMs, maxOutputBytes };
    return (await runGit(this.#git, { ...defaults, ...call })).toString("utf8");
  }

  async #why(error: unknown, host: RemoteHost, service: "git-upload-pack"): Promise<unknown> {
    if (!(error instanceof GitFailed) || error.reason !== "exit") return this.#later(error);
    const { authorization } = host;
    try {
      await probeRemoteUrl(host.checked, {
        service,
        ...(authorization === undefined ? {} : { authorization }),
      });
    } catch (reason) {
      return reason;
    }
    return this.#later(error);
  }

  #later(error: unknown): unknown {
    if (!(error instanceof GitFailed)) return error;
    return new TryLaterError(error.message, { retryAfterMs: 60_000, cause: error });
  }

  async #packBytes(): Promise<number> {
    const folder = join(this.#gitDir, "objects", "pack");
    let bytes = 0;
    for (const name of await readdir(folder).catch(() => [])) {
      bytes += (await stat(join(folder, name)).catch(() => undefined))?.size ?? 0;
    }
    return bytes;
  }
}

function configOf({ checked, authorization }: RemoteHost): Record<string, string> {
  const header = `http.${checked.url.origin}/.extraHeader`;
  return {
    ...pinned(checked),
    ...(authorization === undefined ? {} : { [header]: `Authorization: ${authorization}` }),
  };
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
