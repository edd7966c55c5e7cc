import type { Redis } from "ioredis";
import { messageOf } from "#core/errors";
import type { Logger } from "#core/logger";
import { Nudges, startNudgeWorker } from "#core/queue/nudges";
import { SerialByKey } from "#core/serial-by-key";
import { checkReviewJob } from "#schemas/documents/check-documents";
import { queues, type ReviewJob } from "#schemas/jobs";
import type { Deliveries } from "../intake/deliveries.ts";
import { reviewWork } from "../intake/deliveries.ts";
import type { MergeRequestRef } from "../previews/previews.ts";
import { type ReviewDeps, reviewMergeRequest } from "./review-merge-request.ts";
import { reviewsBehind } from "./reviews-behind.ts";

const reviewsAtOnce = 4;
// A host that is down, or behind with its refs, is asked again this often, with growing pauses; the resync finds what is left.
const attempts = 6;
// A merge request is looked at no more often than this, however often it is pushed to.
const paceMs = 1_000;

export interface ReviewsDeps extends Omit<ReviewDeps, "logger"> {
  redis: { nudges: Redis; workers: Redis };
  deliveries: Deliveries;
  logger: Logger;
}

/** Looks at merge requests whenever somebody says that there may be something new, one look at a time at each. */
export class Reviews {
  readonly #deps: ReviewsDeps;
  readonly #nudges: Nudges<ReviewJob>;
  readonly #worker: ReturnType<typeof startNudgeWorker>;
  readonly #serial = new SerialByKey();
  readonly #marks = new Map<string, number>();

  constructor(deps: ReviewsDeps) {
    this.#deps = deps;
    const { redis, logger, deliveries } = deps;
    this.#nudges = new Nudges(redis.nudges, logger, {
      queue: queues.review,
      attempts,
      pace: { ms: paceMs, first: "now" },
    });
    const givenUp = ({ project, iid }: ReviewJob, reason: string) => {
      const work = reviewWork(project, iid);
      const upTo = this.#marks.get(work) ?? deliveries.mark();
      deliveries.settle(work, { upTo, outcome: "failed", reason });
    };
    const options = { queue: queues.review, concurrency: reviewsAtOnce, check: checkReviewJob, givenUp };
    this.#worker = startNudgeWorker(redis.workers, logger, options, (job) => this.#look(job));
  }

  nudge(project: string, iid: number): void {
    this.#nudges.nudge(reviewWork(project, iid), { project, iid });
  }

  /** The target branch of all merge requests of a project has moved. */
  async nudgeAllOf(projectId: number): Promise<void> {
    for (const { memory } of await this.#deps.memories.all(projectId))
      this.nudge(memory.projectPath, memory.iid);
  }

  /** Something happened to runs of a user: replies that follow one are brought up to date. */
  async nudgeFollowers(user: string): Promise<void> {
    for (const { memory } of await this.#deps.memories.all()) {
      if (memory.runs.some((run) => run.user === user)) this.nudge(memory.projectPath, memory.iid);
    }
  }

  /** Whether a merge request is open; `undefined` where the host does not say. */
  async isOpen({ projectId, projectPath, iid }: MergeRequestRef): Promise<boolean | undefined> {
    const { tracked, forge } = this.#deps;
    const project = tracked.project(projectPath);
    if (project?.id !== projectId) return undefined;
    const shown = await forge.mergeRequests.show(project, iid).catch(() => undefined);
    return shown && shown.state === "open";
  }

  /** Heals lost deliveries: what the host says is open, and what is remembered as open, beside what was looked at. */
  async resync(): Promise<number> {
    const { tracked, forge, memories } = this.#deps;
    const { group } = tracked;
    const outside = tracked.shared.filter((path) => !path.startsWith(`${group}/`));
    const lists = [await forge.mergeRequests.listOpen({ group })];
    for (const project of outside) lists.push(await forge.mergeRequests.listOpen({ project }));
    const projects = tracked.projects.filter(({ path }) => tracked.role(path).kind !== "untracked");
    const behind = reviewsBehind(lists.flat(), await memories.all(), projects);
    for (const { project, iid } of behind) this.nudge(project, iid);
    return behind.length;
  }

  async close(): Promise<void> {
    await this.#worker.close();
    await this.#nudges.close();
  }

  get queue() {
    return this.#nudges.queue;
  }

  async #look(job: ReviewJob): Promise<void> {
    const { deliveries, logger } = this.#deps;
    const { project, iid } = job;
    const work = reviewWork(project, iid);
    await this.#serial.run(work, async () => {
      const upTo = deliveries.mark();
      this.#marks.set(work, upTo);
      try {
        const { outcome, summary } = await reviewMergeRequest(this.#deps, job);
        deliveries.settle(work, { upTo, outcome, reason: summary });
        this.#marks.delete(work);
        logger.info({ project, iid, outcome, summary }, "merge request looked at");
      } catch (error) {
        logger.info({ project, iid, err: messageOf(error) }, "a merge request could not be looked at");
        throw error;
      }
    });
  }
}
