import { join } from "node:path";
import { readJson, writeJsonAtomic } from "#core/atomic-file";
import type { DataFolder } from "#core/data-folder";
import type { CronTime } from "#schemas/cron";

/** What is remembered of one scheduled operation. Times as ISO 8601. */
export interface ScheduledOperation extends CronTime {
  /** Every time up to here was run or skipped. */
  doneUpTo: string;
  /** What became of the last time that came. */
  last?: { at: string; run?: string; skipped?: string };
}

/** By `<twin>/<operation>`. */
export type UserSchedule = Record<string, ScheduledOperation>;

/** Up to which time the schedules of each user were looked at, on disk. */
export class ScheduleMemory {
  readonly #data: DataFolder;
  readonly #users = new Map<string, UserSchedule>();

  constructor(data: DataFolder) {
    this.#data = data;
  }

  async get(user: string): Promise<UserSchedule> {
    const known = this.#users.get(user);
    if (known) return known;
    const found = ((await readJson(this.#path(user))) ?? {}) as UserSchedule;
    this.#users.set(user, found);
    return found;
  }

  async put(user: string, schedule: UserSchedule): Promise<void> {
    if (JSON.stringify(await this.get(user)) === JSON.stringify(schedule)) return;
    await writeJsonAtomic(this.#path(user), schedule);
    this.#users.set(user, schedule);
  }

  #path(user: string): string {
    return join(this.#data.schedules, `${user}.json`);
  }
}
