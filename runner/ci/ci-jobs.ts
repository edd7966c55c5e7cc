import { type FSWatcher, watch } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { readJson, writeJsonAtomic } from "#core/atomic-file";
import { messageOf } from "#core/errors";
import { OneAtATime } from "#core/one-at-a-time";
import { checkCiJob, checkCiJobOutcome } from "#schemas/documents/check-documents";
import type { CiJobDocument } from "#schemas/generated/ci-job";
import type { CiJobOutcomeDocument } from "#schemas/generated/ci-job-outcome";
import type { JobParts } from "./job-parts.ts";
import { type JobRun, layerOf, runJob, tidyUp } from "./run-job.ts";

const jobsAtOnce = 4; // containers of pipelines side by side on this machine
const jobsOfOneAtOnce = 2; // so that one person's two hundred jobs leave room for others
const lookEveryMs = 1_000; // should the file system not have told
const settleMs = 20;
const tidyEveryMs = 60_000;

interface Underway {
  user: string;
  cancel: AbortController;
  done: Promise<void>;
}

/** Runs the jobs of pipelines that the forge asks for, a few at a time, and ends those that it wants ended. */
export class CiJobs {
  readonly #parts: JobParts;
  readonly #closing = new AbortController();
  readonly #underway = new Map<number, Underway>();
  readonly #refused = new Set<number>();
  readonly #looks: OneAtATime;
  #watcher: FSWatcher | undefined;
  #timers: NodeJS.Timeout[] = [];
  #soon: NodeJS.Timeout | undefined;

  private constructor(parts: JobParts) {
    this.#parts = parts;
    this.#looks = new OneAtATime(
      () => this.#look(),
      (error) =>
        parts.logger.warn(
          { err: messageOf(error) },
          "jobs of pipelines could not be looked at; tried again soon",
        ),
    );
  }

  static async start(parts: JobParts): Promise<CiJobs> {
    const { jobs, runs } = parts.folders;
    for (const folder of [jobs, runs]) await mkdir(folder, { recursive: true, mode: 0o700 });
    const all = new CiJobs(parts);
    const soon = () => {
      all.#soon ??= setTimeout(() => {
        all.#soon = undefined;
        void all.#looks.ask();
      }, settleMs);
    };
    try {
      all.#watcher = watch(jobs, soon);
      all.#watcher.on("error", () => all.#watcher?.close());
    } catch {
      // no watches are left on this machine: the timer does it
    }
    all.#timers = [setInterval(soon, lookEveryMs), setInterval(() => void all.#sweep(), tidyEveryMs)];
    void all.#sweep();
    soon();
    return all;
  }

  /** Jobs go on in their containers; the next start goes on with them. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#watcher?.close();
    for (const timer of this.#timers) clearInterval(timer);
    clearTimeout(this.#soon);
    await this.#looks.ask();
    await Promise.all([...this.#underway.values()].map(({ done }) => done));
    await this.#parts.door.closeAll();
  }

  async #look(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const { jobs, runs } = this.#parts.folders;
    const names = await readdir(jobs);
    const wanted = new Set(idsOf(names, ".json"));
    const ending = new Set(idsOf(names, ".cancel"));
    for (const [id, { cancel }] of this.#underway) {
      if (!wanted.has(id) || ending.has(id)) cancel.abort();
    }
    for (const id of this.#refused) if (!wanted.has(id)) this.#refused.delete(id);
    for (const name of await readdir(runs)) {
      const id = Number(/^(\d+)(\.json)?$/.exec(name)?.[1] ?? Number.NaN);
      if (Number.isNaN(id) || wanted.has(id) || this.#underway.has(id)) continue;
      await rm(join(runs, name), { recursive: true, force: true });
    }
    const waiting: { job: CiJobDocument; outcome: CiJobOutcomeDocument | undefined }[] = [];
    for (const id of [...wanted].sort((a, b) => a - b)) {
      if (this.#underway.has(id) || this.#refused.has(id)) continue;
      const outcome = await this.#outcome(id);
      if (outcome && outcome.state !== "running") continue;
      const job = await this.#job(id);
      if (job) waiting.push({ job, outcome });
    }
    // What had begun before goes on first.
    waiting.sort((a, b) => Number(b.outcome !== undefined) - Number(a.outcome !== undefined));
    for (const { job, outcome } of waiting) {
      const isOpen = outcome !== undefined || this.#hasRoom(job.user);
      if (isOpen) this.#begin(job, outcome, ending.has(job.id));
    }
  }

  #hasRoom(user: string): boolean {
    const all = [...this.#underway.values()];
    return all.length < jobsAtOnce && all.filter((each) => each.user === user).length < jobsOfOneAtOnce;
  }

  #begin(job: CiJobDocument, before: CiJobOutcomeDocument | undefined, isCancelled: boolean): void {
    const cancel = new AbortController();
    if (isCancelled) cancel.abort();
    const done = this.#run(job, before, cancel.signal)
      .catch((error: unknown) => {
        this.#parts.logger.error({ job: job.id, err: error }, "a job of a pipeline was left alone");
      })
      .finally(() => {
        this.#underway.delete(job.id);
        void this.#looks.ask();
        void this.#forget(job.user);
      });
    this.#underway.set(job.id, { user: job.user, cancel, done });
  }

  async #run(
    job: CiJobDocument,
    before: CiJobOutcomeDocument | undefined,
    cancel: AbortSignal,
  ): Promise<void> {
    const startedAt = before?.startedAt ?? new Date().toISOString();
    const base = { version: 1 as const, id: job.id, startedAt };
    const containerId = before && (await this.#containerOf(job.id));
    if (before?.containerId !== undefined && containerId === undefined) {
      await tidyUp(this.#parts, job);
      return await this.#say({
        ...base,
        state: "failed",
        failureReason: "runner_system_failure",
        finishedAt: now(),
      });
    }
    if (containerId === undefined) {
      await tidyUp(this.#parts, job); // half-made by a process that was killed
      await this.#say({ ...base, state: "running" });
    } else await this.#reopenDoor(job.user);
    const run: JobRun = {
      job,
      startedAt,
      cancel,
      closing: this.#closing.signal,
      containerId,
      onStarted: (id) => this.#say({ ...base, state: "running", containerId: id }),
    };
    const ending = await runJob(this.#parts, run);
    if (ending) await this.#say({ ...base, ...ending, finishedAt: now() });
  }

  /** Of one that was started: what was only made begins anew. */
  async #containerOf(jobId: number): Promise<string | undefined> {
    const found = (await this.#parts.containers.list()).find((each) => each.jobId === jobId);
    return found && found.state !== "created" ? found.id : undefined;
  }

  async #reopenDoor(user: string): Promise<void> {
    const { containers, door } = this.#parts;
    await door.open(user, (await containers.network(user)).gateway);
  }

  /** The door and the network of somebody who has no job any more. */
  async #forget(user: string): Promise<void> {
    if (this.#closing.signal.aborted || [...this.#underway.values()].some((each) => each.user === user))
      return;
    try {
      await this.#parts.door.close(user);
      await this.#parts.containers.removeNetwork(user);
    } catch (error) {
      this.#parts.logger.debug({ user, err: messageOf(error) }, "the network of jobs stays for now");
    }
  }

  /** What is left in the engine of jobs that nobody asks for any more. */
  async #sweep(): Promise<void> {
    const { containers, engine, folders, logger } = this.#parts;
    try {
      const wanted = new Set(idsOf(await readdir(folders.jobs), ".json"));
      const isLeft = (id: number) => !wanted.has(id) && !this.#underway.has(id);
      for (const { jobId } of await containers.list())
        if (isLeft(jobId)) await tidyUp(this.#parts, { id: jobId });
      for (const layer of await engine.layers.list()) {
        const id = Number(/^job-(\d+)$/.exec(layer)?.[1] ?? Number.NaN);
        if (!Number.isNaN(id) && layer === layerOf({ id }) && isLeft(id)) await engine.layers.remove(layer);
      }
    } catch (error) {
      logger.debug({ err: messageOf(error) }, "what jobs have left could not be swept; tried again");
    }
  }

  async #job(id: number): Promise<CiJobDocument | undefined> {
    const path = join(this.#parts.folders.jobs, `${id}.json`);
    try {
      const read = await readJson(path);
      return read === undefined ? undefined : checkCiJob(read, path);
    } catch (error) {
      this.#refused.add(id);
      this.#parts.logger.error({ path, err: messageOf(error) }, "a job of a pipeline cannot be understood");
      const at = now();
      await this.#say({
        version: 1,
        id,
        startedAt: at,
        finishedAt: at,
        state: "failed",
        failureReason: "runner_system_failure",
      });
      return undefined;
    }
  }

  async #outcome(id: number): Promise<CiJobOutcomeDocument | undefined> {
    const path = join(this.#parts.folders.runs, `${id}.json`);
    const read = await readJson(path).catch(() => undefined);
    try {
      return read === undefined ? undefined : checkCiJobOutcome(read, path);
    } catch {
      return undefined; // it is written anew
    }
  }

  async #say(outcome: CiJobOutcomeDocument): Promise<void> {
    await writeJsonAtomic(join(this.#parts.folders.runs, `${outcome.id}.json`), outcome, 0o600);
  }
}

function idsOf(names: readonly string[], ending: string): number[] {
  return names
    .filter((name) => name.endsWith(ending))
    .map((name) => Number(name.slice(0, -ending.length)))
    .filter((id) => Number.isSafeInteger(id) && id > 0);
}

function now(): string {
  return new Date().toISOString();
}
