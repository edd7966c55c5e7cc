import { unlink } from "node:fs/promises";
import { join } from "node:path";
import pLimit from "p-limit";
import { writeJsonAtomic } from "#core/atomic-file";
import { ActionNeededError, isSystemError, messageOf } from "#core/errors";
import type { Logger } from "#core/logger";
import { type OnSetAside, readOrSetAside } from "#core/read-or-set-aside";
import type { AcceptedRun } from "#schemas/api";
import { isEnd } from "#schemas/pipelines";
import type { CiJob } from "../auth/ci-token.ts";
import type { ForgePipelines } from "../forge/forge-pipelines.ts";
import type { RunArchive } from "../reading/run-archive.ts";
import { listFolder } from "../reading/stored-documents.ts";

const lookedAtOnce = 4; // questions to the host

/** A run that a job has begun and that had not ended when it was looked at last. */
interface JobRun {
  version: 1;
  projectId: number;
  projectPath: string;
  jobId: number;
  user: string;
  twin: string;
  run: string;
  startedBy: string;
}

export interface JobRunsDeps {
  folder: string;
  pipelines: Pick<ForgePipelines, "job">;
  runs: Pick<RunArchive, "get">;
  /** Throws `ActionNeededError` where there is nothing to be cancelled. */
  cancel(run: { user: string; twin: string; id: string }, requestedBy: string): Promise<unknown>;
  logger: Logger;
  onSetAside: OnSetAside;
}

/**
 * Ends the run when the job that has begun it is cancelled or fails, also where the job could not say so itself: it was
 * killed, lost its network, or its runner is gone. A job that succeeds leaves behind what it has begun.
 */
export class JobRuns {
  readonly #deps: JobRunsDeps;

  constructor(deps: JobRunsDeps) {
    this.#deps = deps;
  }

  /** Remembers on disk which job asked for a run. */
  async note(job: CiJob, accepted: AcceptedRun): Promise<void> {
    const { projectId, projectPath, jobId } = job;
    const { user, twin, id: run } = accepted;
    await writeJsonAtomic(join(this.#deps.folder, `${projectId}-${jobId}-${run}.json`), {
      version: 1,
      ...{ projectId, projectPath, jobId, user, twin, run },
      startedBy: job.user.username,
    } satisfies JobRun);
  }

  /** The host says that something has happened to this job. */
  async lookAt(projectId: number, jobId: number): Promise<void> {
    await this.#look((name) => name.startsWith(`${projectId}-${jobId}-`));
  }

  /** Looks at every job whose run goes on: what no event has told. */
  async lookAtAll(): Promise<void> {
    await this.#look(() => true);
  }

  async #look(isMeant: (name: string) => boolean): Promise<void> {
    const names = (await listFolder(this.#deps.folder)).filter(
      (name) => name.endsWith(".json") && isMeant(name),
    );
    const limit = pLimit(lookedAtOnce);
    await limit.map(names, async (name) => {
      try {
        await this.#lookAtOne(join(this.#deps.folder, name));
      } catch (error) {
        this.#deps.logger.warn(
          { err: messageOf(error) },
          "a job of a pipeline could not be looked at; tried again",
        );
      }
    });
  }

  async #lookAtOne(path: string): Promise<void> {
    const { runs, pipelines, onSetAside, logger } = this.#deps;
    const known = await readOrSetAside(path, { check: checkJobRun, onSetAside });
    if (!known) return;
    const { user, twin, run: id, projectId, projectPath, jobId } = known;
    const run = await runs.get(user, twin, id);
    if (!run || run.state === "ended") return await forget(path);
    const project = { id: projectId, path: projectPath, defaultBranch: undefined, webUrl: "" };
    const job = await pipelines.job(project, jobId);
    if (job && !isEnd(job.state) && job.state !== "cancelling") return;
    if (job?.state !== "succeeded") {
      logger.info(
        { user, twin, run: id, job: jobId, state: job?.state ?? "gone" },
        "the run of a job is cancelled",
      );
      await cancelled(this.#deps.cancel({ user, twin, id }, known.startedBy));
    }
    await forget(path);
  }
}

/** What has ended meanwhile, or is kept up by Git, is not ours to end. */
async function cancelled(asked: Promise<unknown>): Promise<void> {
  try {
    await asked;
  } catch (error) {
    if (!(error instanceof ActionNeededError)) throw error;
  }
}

async function forget(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isSystemError(error, "ENOENT")) throw error;
  }
}

/** Our own document; a broken one costs no more than a run that ends by itself. */
function checkJobRun(value: unknown, path: string): JobRun {
  const { projectId, projectPath, jobId, user, twin, run } = (value ?? {}) as Partial<JobRun>;
  const areNumbers = Number.isSafeInteger(projectId) && Number.isSafeInteger(jobId);
  if (areNumbers && [projectPath, user, twin, run].every((text) => typeof text === "string"))
    return value as JobRun;
  throw new ActionNeededError("DOCUMENT_INVALID", `${path} does not say which job has begun which run`);
}
