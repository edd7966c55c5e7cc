import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { syncFolder } from "#core/atomic-file";
import { isSystemError } from "#core/errors";
import { SerialByKey } from "#core/serial-by-key";
import type { Git } from "./git.ts";

const staleLockMs = 60_000; // a git that outlived the forge has ended by then
const pushesPerCleaning = 25; // git then packs what has come, if it finds it worth the while

/** Bare repositories, named by project id only: no path from a request ever reaches the file system. */
export class Repositories {
  readonly #folder: string;
  readonly #git: Git;
  readonly #serial = new SerialByKey();
  readonly #pushes = new Map<number, number>();
  #cleaning: Promise<unknown> = Promise.resolve();
  #closed = false;

  private constructor(folder: string, git: Git) {
    this.#folder = folder;
    this.#git = git;
  }

  /** Finishes what a crash left half done: repositories of no project and half-made ones are removed. */
  static async open(folder: string, git: Git, projectIds: ReadonlySet<number>): Promise<Repositories> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(folder)) {
      const id = /^(\d+)\.git$/.exec(name)?.[1];
      const path = join(folder, name);
      if (id === undefined || !projectIds.has(Number(id))) await rm(path, { recursive: true, force: true });
      else removeStaleLocks(path);
    }
    return new Repositories(folder, git);
  }

  path(projectId: number): string {
    return join(this.#folder, `${projectId}.git`);
  }

  exists(projectId: number): boolean {
    return existsSync(this.path(projectId));
  }

  /** A cheap look at the files: false only where there is no branch for sure. */
  mayHaveBranches(projectId: number): boolean {
    const gitDir = this.path(projectId);
    if (existsSync(join(gitDir, "packed-refs"))) return true;
    return readdirSync(join(gitDir, "refs", "heads")).length > 0;
  }

  async create(projectId: number, defaultBranch: string): Promise<void> {
    const temporary = join(this.#folder, `${projectId}.new`);
    await mkdir(temporary, { recursive: true, mode: 0o700 });
    const made = ["init", "--quiet", "--bare", "--template=", `--initial-branch=${defaultBranch}`];
    await this.#git.text(temporary, made);
    await rename(temporary, this.path(projectId));
    await syncFolder(this.#folder);
  }

  /** The repository is gone at once; its files go in the background, or at the next start. */
  async remove(projectId: number): Promise<void> {
    const trash = join(this.#folder, `${projectId}.trash`);
    try {
      await rename(this.path(projectId), trash);
    } catch (error) {
      if (!isSystemError(error, "ENOENT")) throw error;
    }
    rm(trash, { recursive: true, force: true, maxRetries: 3 }).catch(() => {});
  }

  /** Runs tasks on one repository one after another: commits through the API do not compete with each other. */
  serially<T>(projectId: number, task: () => Promise<T>): Promise<T> {
    return this.#serial.run(String(projectId), task);
  }

  /** Counts pushes and tidies the repository up now and then, one at a time and in the background. */
  pushed(projectId: number): void {
    const pushes = (this.#pushes.get(projectId) ?? 0) + 1;
    this.#pushes.set(projectId, pushes % pushesPerCleaning);
    if (pushes < pushesPerCleaning) return;
    this.#cleaning = this.#cleaning.then(async () => {
      if (!this.#closed)
        await this.#git.run(this.path(projectId), ["gc", "--auto", "--quiet"]).catch(() => {});
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#cleaning;
  }
}

/** A lock whose git was killed, by a power cut for one, would refuse every further push to that branch. */
function removeStaleLocks(gitDir: string): void {
  const refs = readdirSync(join(gitDir, "refs"), { recursive: true, encoding: "utf8" });
  const names = ["HEAD.lock", "packed-refs.lock", ...refs.map((name) => join("refs", name))];
  for (const path of names.filter((name) => name.endsWith(".lock")).map((name) => join(gitDir, name))) {
    const changedMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
    if (changedMs !== undefined && Date.now() - changedMs > staleLockMs) rmSync(path, { force: true });
  }
}
