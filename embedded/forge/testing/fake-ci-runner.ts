import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pack } from "tar-stream";
import { readJson, writeJsonAtomic } from "#core/atomic-file";
import type { CiJobDocument } from "#schemas/generated/ci-job";

/** How a job goes, in a test. */
export interface FakeRun {
  exitCode?: number;
  trace?: string;
  dotenv?: Record<string, string>;
  files?: Record<string, string>;
  /** Runs until this resolves, or the job is to be ended. */
  until?: Promise<unknown>;
  failureReason?: "script_failure" | "runner_system_failure";
}

/** A runner that runs nothing: it takes jobs from the exchange and ends them as it is told. For tests only. */
export class FakeCiRunner {
  readonly jobs: CiJobDocument[] = [];
  readonly #folder: string;
  readonly #how: (job: CiJobDocument) => FakeRun;
  readonly #taken = new Set<number>();
  #closed = false;
  #looking: Promise<void> = Promise.resolve();

  private constructor(folder: string, how: (job: CiJobDocument) => FakeRun) {
    this.#folder = folder;
    this.#how = how;
  }

  static async start(how: (job: CiJobDocument) => FakeRun = () => ({})): Promise<FakeCiRunner> {
    const folder = await mkdtemp(join(tmpdir(), "ci-exchange-"));
    const runner = new FakeCiRunner(folder, how);
    await mkdir(runner.exchange.jobs, { recursive: true });
    await mkdir(runner.exchange.runs, { recursive: true });
    runner.#looking = runner.#look();
    return runner;
  }

  get exchange(): { jobs: string; runs: string } {
    return { jobs: join(this.#folder, "jobs"), runs: join(this.#folder, "runs") };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#looking;
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  }

  named(name: string): CiJobDocument | undefined {
    return this.jobs.findLast((job) => job.name === name);
  }

  /** A variable of the last job of this name. */
  variable(name: string, key: string): string | undefined {
    return this.named(name)?.variables.find((each) => each.key === key)?.value;
  }

  async #look(): Promise<void> {
    while (!this.#closed) {
      for (const name of await readdir(this.exchange.jobs)) {
        const id = Number(/^(\d+)\.json$/.exec(name)?.[1] ?? Number.NaN);
        if (Number.isNaN(id) || this.#taken.has(id)) continue;
        const job = (await readJson(join(this.exchange.jobs, name))) as CiJobDocument | undefined;
        if (!job) continue;
        this.#taken.add(id);
        this.jobs.push(job);
        void this.#run(job).catch(() => undefined);
      }
      await delay(10);
    }
  }

  async #run(job: CiJobDocument): Promise<void> {
    const { id } = job;
    const run = this.#how(job);
    const folder = join(this.exchange.runs, String(id));
    const startedAt = new Date().toISOString();
    const say = (more: object) =>
      writeJsonAtomic(join(this.exchange.runs, `${id}.json`), { version: 1, id, startedAt, ...more });
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "trace"), run.trace ?? `ran ${job.name}\n`);
    let ended = false;
    const cancelled = this.#cancelled(id, () => ended);
    if (run.until) {
      await say({ state: "running" });
      await Promise.race([run.until, cancelled]);
    }
    ended = true;
    const finishedAt = new Date().toISOString();
    if (run.until && (await cancelled)) return await say({ state: "canceled", finishedAt });
    const exitCode = run.exitCode ?? 0;
    let artifactBytes: number | undefined;
    if (run.files) {
      const archive = pack();
      for (const [path, text] of Object.entries(run.files)) archive.entry({ name: path }, text);
      archive.finalize();
      const chunks: Buffer[] = [];
      for await (const chunk of archive) chunks.push(chunk as Buffer);
      await writeFile(join(folder, "artifacts.tar"), Buffer.concat(chunks));
      artifactBytes = Buffer.concat(chunks).length;
    }
    await say({
      state: exitCode === 0 ? "success" : "failed",
      exitCode,
      finishedAt,
      ...(exitCode === 0 ? {} : { failureReason: run.failureReason ?? "script_failure" }),
      ...(run.dotenv ? { dotenv: run.dotenv } : {}),
      ...(artifactBytes === undefined ? {} : { artifactBytes }),
    });
  }

  async #cancelled(id: number, isOver: () => boolean): Promise<boolean> {
    const wish = () =>
      readFile(join(this.exchange.jobs, `${id}.cancel`)).then(
        () => true,
        () => false,
      );
    while (!this.#closed && !isOver()) {
      if (await wish()) return true;
      await delay(10);
    }
    return await wish();
  }
}
