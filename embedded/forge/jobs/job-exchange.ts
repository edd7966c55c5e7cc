import { type FSWatcher, watch } from "node:fs";
import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readJson, writeJsonAtomic } from "#core/atomic-file";
import { isSystemError } from "#core/errors";
import type { CiJobDocument } from "#schemas/generated/ci-job";
import type { CiJobOutcomeDocument } from "#schemas/generated/ci-job-outcome";

const lookEveryMs = 1_000; // should the file system not have told
const settleMs = 20; // several changes at once are looked at together

/**
 * Jobs for the runner, and what it says about them, as files in two folders with one writer each: `<id>.json` with `<id>/source.tar` and
 * `<id>/input-<n>.tar`, then `<id>.cancel`, by the forge; `<id>.json` with `<id>/trace` and `<id>/artifacts.tar` by the runner. The runner removes
 * its own when the job's document is gone.
 */
export class JobExchange {
  readonly #jobs: string;
  readonly #runs: string;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  readonly #seen = new Map<number, number>();

  private constructor(jobs: string, runs: string) {
    this.#jobs = jobs;
    this.#runs = runs;
  }

  static async open(folders: { jobs: string; runs: string }): Promise<JobExchange> {
    await mkdir(folders.jobs, { recursive: true, mode: 0o700 });
    await mkdir(folders.runs, { recursive: true, mode: 0o700 });
    return new JobExchange(folders.jobs, folders.runs);
  }

  /** Tells of jobs whose outcome has changed, of all of them at first. The runner's folder is watched, and looked at now and then. */
  follow(onNews: (jobId: number) => void): void {
    const look = () => {
      this.#soon = undefined;
      void this.#look(onNews);
    };
    const soon = () => {
      this.#soon ??= setTimeout(look, settleMs);
    };
    try {
      this.#watcher = watch(this.#runs, soon);
      this.#watcher.on("error", () => this.#watcher?.close());
    } catch {
      // no watches are left on this machine: the timer does it
    }
    this.#timer = setInterval(look, lookEveryMs);
    look();
  }

  close(): void {
    this.#watcher?.close();
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
  }

  /** Where the files of a job are put before its document. */
  async folder(jobId: number): Promise<string> {
    const folder = join(this.#jobs, String(jobId));
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return folder;
  }

  /** From now on the runner may take it. */
  async put(document: CiJobDocument): Promise<void> {
    await writeJsonAtomic(join(this.#jobs, `${document.id}.json`), document, 0o600);
  }

  async has(jobId: number): Promise<boolean> {
    return (await readJson(join(this.#jobs, `${jobId}.json`)).catch(() => undefined)) !== undefined;
  }

  async cancel(jobId: number): Promise<void> {
    await writeFile(join(this.#jobs, `${jobId}.cancel`), "", { mode: 0o600 });
  }

  /** The last that the runner has said; `undefined` for nothing yet, and for what cannot be read. */
  async outcome(jobId: number): Promise<CiJobOutcomeDocument | undefined> {
    const read = await readJson(join(this.#runs, `${jobId}.json`)).catch(() => undefined);
    const outcome = read as CiJobOutcomeDocument | undefined;
    const states: unknown[] = ["running", "success", "failed", "canceled"];
    return outcome?.version === 1 && outcome.id === jobId && states.includes(outcome.state)
      ? outcome
      : undefined;
  }

  tracePath(jobId: number): string {
    return join(this.#runs, String(jobId), "trace");
  }

  artifactsPath(jobId: number): string {
    return join(this.#runs, String(jobId), "artifacts.tar");
  }

  /** Takes the job back: the runner ends what it still does for it, and forgets it. */
  async remove(jobId: number): Promise<void> {
    await rm(join(this.#jobs, `${jobId}.json`), { force: true });
    await rm(join(this.#jobs, `${jobId}.cancel`), { force: true });
    await rm(join(this.#jobs, String(jobId)), { recursive: true, force: true });
    this.#seen.delete(jobId);
  }

  async #look(onNews: (jobId: number) => void): Promise<void> {
    for (const name of await readdir(this.#runs).catch((): string[] => [])) {
      const id = Number(/^(\d+)\.json$/.exec(name)?.[1] ?? Number.NaN);
      if (Number.isNaN(id)) continue;
      const changedMs = await stat(join(this.#runs, name)).then(
        (found) => found.mtimeMs,
        (error: unknown) => {
          if (isSystemError(error, "ENOENT")) return undefined;
          throw error;
        },
      );
      if (changedMs === undefined || this.#seen.get(id) === changedMs) continue;
      this.#seen.set(id, changedMs);
      onNews(id);
    }
  }
}
