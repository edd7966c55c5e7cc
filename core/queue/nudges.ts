import { type ConnectionOptions, Queue, UnrecoverableError, Worker } from "bullmq";
import type { Redis } from "ioredis";
import { ActionNeededError, messageOf, TryLaterError } from "../errors.ts";
import type { Logger } from "../logger.ts";

// A process that was killed is noticed after this, and its job is done by the next one.
const lockMs = 10_000;
const stalledCheckMs = 5_000;
// A job that takes its process down this often is set aside as failed; the next nudge for its key is a new job.
const maxStalledCount = 20;
// Failed jobs kept for people to look at.
const keptFailures = 200;

export interface NudgesOptions {
  queue: string;
  /** A job that throws is tried again this often, with growing pauses. */
  attempts?: number;
  backoffMs?: number;
  /**
   * At most one nudge for a key in this time: `now`, the first goes out at once and those that follow are one at its
   * end; `later`, the first waits as well.
   */
  pace?: { ms: number; first: "now" | "later" };
}

/**
 * A queue of nudges: at most one waits and one works for each key, and a nudge that comes during the work leads to one
 * more look afterwards. Losing nudges loses only time: whoever nudges also looks at the truth now and then.
 */
export class Nudges<Job extends object> {
  readonly queue: Queue<Job>;
  readonly #options: NudgesOptions;
  readonly #pending = new Set<string>();
  readonly #paced = new Map<string, { timer: NodeJS.Timeout; next: (() => void) | undefined }>();
  readonly #logger: Logger;

  constructor(redis: Redis, logger: Logger, options: NudgesOptions) {
    this.#logger = logger;
    this.#options = options;
    this.queue = new Queue<Job>(options.queue, { connection: redis as ConnectionOptions });
    this.queue.on("error", () => undefined); // said once by the connection
  }

  /** Fire and forget: while Redis is away the nudge waits in this process, once for each key. Higher `priority` waits longer. */
  nudge(key: string, job: Job, priority?: number): void {
    const { pace } = this.#options;
    const add = () => this.#add(key, job, priority);
    const paced = this.#paced.get(key);
    if (paced) paced.next = add;
    else if (pace?.first === "later") this.#wait(key, add);
    else {
      add();
      if (pace) this.#wait(key, undefined);
    }
  }

  async close(): Promise<void> {
    for (const { timer } of this.#paced.values()) clearTimeout(timer);
    this.#paced.clear();
    await this.queue.close();
  }

  #wait(key: string, next: (() => void) | undefined): void {
    const timer = setTimeout(() => {
      const due = this.#paced.get(key)?.next;
      this.#paced.delete(key);
      if (due === undefined) return;
      due();
      this.#wait(key, undefined);
    }, this.#options.pace?.ms);
    this.#paced.set(key, { timer: timer.unref(), next });
  }

  #add(key: string, job: Job, priority: number | undefined): void {
    if (this.#pending.has(key)) return;
    this.#pending.add(key);
    const { attempts = 1, backoffMs = 1_000, queue } = this.#options;
    const adding = (this.queue as Queue).add("nudge", job, {
      deduplication: { id: key, keepLastIfActive: true },
      attempts,
      backoff: { type: "exponential", delay: backoffMs },
      removeOnComplete: true,
      removeOnFail: { count: keptFailures },
      ...(priority === undefined ? {} : { priority }),
    });
    adding
      .catch((error: unknown) =>
        this.#logger.warn({ queue, key, err: messageOf(error) }, "nudge lost; a later look finds it"),
      )
      .finally(() => this.#pending.delete(key));
  }
}

export interface NudgeWorkerOptions<Job> {
  queue: string;
  concurrency: number;
  /** Job data from Redis is checked before anything else. */
  check: (value: unknown) => Job;
  /** Called when a look has failed for good: somebody must act, or all attempts are used up. */
  givenUp?: (job: Job, reason: string) => void;
}

/** Serves a queue of nudges. Every job may be done twice. */
export function startNudgeWorker<Job extends object>(
  redis: Redis,
  logger: Logger,
  options: NudgeWorkerOptions<Job>,
  look: (job: Job) => Promise<void>,
): Worker {
  const { queue, concurrency, check, givenUp } = options;
  const lookOnce = async (data: unknown, isLast: boolean): Promise<void> => {
    const job = check(data);
    try {
      await look(job);
    } catch (error) {
      const isFinal = error instanceof ActionNeededError;
      if (isFinal || isLast) givenUp?.(job, messageOf(error));
      throw isFinal ? new UnrecoverableError(error.message) : error;
    }
  };
  const process = async (job: { data: unknown; attemptsMade: number; opts: { attempts?: number } }) =>
    await lookOnce(job.data, job.attemptsMade + 1 >= (job.opts.attempts ?? 1));
  const worker = new Worker(queue, process, {
    connection: redis as ConnectionOptions,
    concurrency,
    lockDuration: lockMs,
    stalledInterval: stalledCheckMs,
    maxStalledCount,
  });
  worker.on("failed", (job, error) => {
    const isExpected = error instanceof TryLaterError || error instanceof UnrecoverableError;
    logger[isExpected ? "warn" : "error"]({ queue, job: job?.data, err: error.message }, "a look failed");
  });
  worker.on("error", (error) => logger.debug({ queue, err: error.message }, "queue worker"));
  return worker;
}
