import { createHash } from "node:crypto";
import {
  chmod,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  stat,
  statfs,
  writeFile,
} from "node:fs/promises";
import { join, resolve } from "node:path";
import type { DataFolder } from "#core/data-folder";
import { ActionNeededError, isSystemError } from "#core/errors";
import { runIdPattern } from "#core/run-id";

// File systems that keep files in memory: tmpfs, ramfs.
const inMemory = new Set([0x01021994, 0x858458f6]);
// A folder this young may belong to a run whose container is being made.
const youngMs = 10 * 60_000;

export interface GivenSecret {
  name: string;
  kind: "variable" | "file";
  value: Buffer;
}

export interface SecretFoldersOptions {
  /** In memory; made when it is first needed. */
  root: string;
  /**
   * `container`: for a user of a container that is nobody here. Everything below is readable then, and the root is
   * not entered by anybody but this account; a bind mount begins below it. `account`: for processes of this account.
   */
  readers: "container" | "account";
}

/** Where the values lie unless it is said: one folder for each data folder. */
export function secretsFolderOf(data: DataFolder): string {
  const name = createHash("sha256").update(resolve(data.root)).digest("hex").slice(0, 16);
  return `/dev/shm/dtaas-${name}`;
}

/** The values of the secrets of runs that are under way: one folder each, in memory, never on a disk. */
export class SecretFolders {
  readonly #options: SecretFoldersOptions;

  constructor(options: SecretFoldersOptions) {
    this.#options = options;
  }

  /** Puts the files there; the folder to show to the run. Done again it gives the same. */
  async write(runId: string, secrets: readonly GivenSecret[]): Promise<string> {
    await this.#prepareRoot();
    const { fileMode, folderMode } = modes[this.#options.readers];
    const folder = this.#folder(runId);
    const values = join(folder, "values");
    await mkdir(values, { recursive: true });
    for (const { name, value } of secrets) {
      const fresh = join(folder, `${name}.new`);
      await writeFile(fresh, value, { mode: 0o600 });
      await chmod(fresh, fileMode); // not left to the umask
      await rename(fresh, join(values, name));
    }
    const kinds = Object.fromEntries(secrets.map(({ name, kind }) => [name, kind]));
    await writeFile(join(folder, "kinds.json"), JSON.stringify(kinds), { mode: 0o600 });
    await chmod(values, folderMode);
    return values;
  }

  /** What a run was given; `undefined` where nothing is left of it. */
  async read(runId: string): Promise<GivenSecret[] | undefined> {
    if (!runIdPattern.test(runId)) return undefined; // a label that somebody has changed
    const folder = this.#folder(runId);
    try {
      const kinds = JSON.parse(await readFile(join(folder, "kinds.json"), "utf8")) as Record<string, string>;
      return await Promise.all(
        Object.entries(kinds).map(async ([name, kind]) => ({
          name,
          kind: kind === "file" ? ("file" as const) : ("variable" as const),
          value: await readFile(join(folder, "values", name)),
        })),
      );
    } catch (error) {
      if (isSystemError(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  async remove(runId: string): Promise<void> {
    if (!runIdPattern.test(runId)) return;
    await rm(this.#folder(runId), { recursive: true, force: true });
  }

  /** Removes what runs left behind that a crash kept from tidying up. */
  async sweep(keep: ReadonlySet<string>, nowMs: number): Promise<void> {
    for (const runId of await this.#names()) {
      if (keep.has(runId)) continue;
      const found = await stat(this.#folder(runId)).catch(() => undefined);
      if (found && nowMs - found.mtimeMs > youngMs) await this.remove(runId);
    }
  }

  /** Everything, when nothing runs any more. */
  async clear(): Promise<void> {
    for (const runId of await this.#names()) await this.remove(runId);
    await rmdir(this.#options.root).catch(() => undefined); // not there, or somebody has put something in it
  }

  async #names(): Promise<string[]> {
    try {
      return (await readdir(this.#options.root)).filter((name) => runIdPattern.test(name));
    } catch (error) {
      if (isSystemError(error, "ENOENT")) return [];
      throw error;
    }
  }

  #folder(runId: string): string {
    if (!runIdPattern.test(runId)) throw new Error(`${JSON.stringify(runId)} is no run`);
    return join(this.#options.root, runId);
  }

  /** In memory, ours, and closed to everybody else: where it lies, others may make folders as well. */
  async #prepareRoot(): Promise<void> {
    const { root } = this.#options;
    await mkdir(root, { mode: 0o700 }).catch((error: unknown) => {
      if (!isSystemError(error, "EEXIST")) throw unfit(root, `cannot be made (${String(error)})`);
    });
    const found = await lstat(root);
    const isOurs = found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o077) === 0;
    if (!isOurs) throw unfit(root, "is not a folder of this account alone");
    if (!inMemory.has((await statfs(root)).type)) throw unfit(root, "is not in memory (tmpfs)");
  }
}

const modes = {
  container: { fileMode: 0o444, folderMode: 0o755 },
  account: { fileMode: 0o600, folderMode: 0o700 },
};

function unfit(root: string, why: string): ActionNeededError {
  return new ActionNeededError("SECRETS_FOLDER_UNFIT", `secrets cannot be given: ${root} ${why}`, {
    where: { file: root },
    hint: "set DTAAS_SECRETS_FOLDER of the runner to a new folder in a tmpfs that the container engine sees at the same path",
  });
}
