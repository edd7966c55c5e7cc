import type { JobExchange } from "../jobs/job-exchange.ts";
import type { JobFiles } from "../jobs/job-files.ts";
import type { CiStore } from "./ci-store.ts";
import type { PipelineParser } from "./config/parse-pipeline.ts";

/** What pipelines need beside the rest of the forge. */
export interface Ci {
  readonly store: CiStore;
  readonly parser: PipelineParser;
  /** The way to the runner; `undefined` where no container engine can run jobs. */
  readonly exchange: JobExchange | undefined;
  readonly files: JobFiles;
  /** Changes of states run one after another. Nothing in there may wait for another `serially`. */
  serially<T>(task: () => Promise<T>): Promise<T>;
  /** Work that nobody waits for but a stop; what it throws is logged. */
  inBackground(what: string, task: () => Promise<void>): void;
  /** Gives a job to the runner, in the background. */
  dispatch(jobId: number): void;
  /** Starts what a bridge is there for, in the background. */
  startDownstream(jobId: number): void;
}
