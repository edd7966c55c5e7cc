import type { Redis } from "ioredis";
import type { Logger } from "#core/logger";
import { Nudges } from "#core/queue/nudges";
import { type BuildJob, queues } from "#schemas/jobs";

/** Wishes for images; the same image is wished for once, and a user with many waiting builds comes later. */
export class BuildWishes {
  readonly #nudges: Nudges<BuildJob>;
  readonly #waiting = new Map<string, Set<string>>();

  constructor(redis: Redis, logger: Logger) {
    this.#nudges = new Nudges<BuildJob>(redis, logger, { queue: queues.build });
  }

  request(user: string, job: BuildJob): void {
    const mine = this.#waiting.get(user) ?? new Set<string>();
    mine.add(job.hash);
    this.#waiting.set(user, mine);
    this.#nudges.nudge(job.hash, job, mine.size);
  }

  /** The users who waited for this image; they no longer do. */
  settled(hash: string): string[] {
    const users: string[] = [];
    for (const [user, hashes] of this.#waiting) {
      if (!hashes.delete(hash)) continue;
      users.push(user);
      if (hashes.size === 0) this.#waiting.delete(user);
    }
    return users;
  }

  async close(): Promise<void> {
    await this.#nudges.close();
  }
}
