import { messageOf } from "#core/errors";
import type { Logger } from "#core/logger";
import { SerialByKey } from "#core/serial-by-key";
import { type CronTime, latestTime, nextTime } from "#schemas/cron";
import type { DesiredState, DesiredTwin } from "#schemas/desired-state";
import type { RequestBook } from "../requests/request-book.ts";
import type { ScheduledOperation, ScheduleMemory, UserSchedule } from "./schedule-memory.ts";

// New schedules are found, and a clock that was set is noticed, after this; what is due sooner is looked at sooner.
const longestWaitMs = 5_000;
const shortestWaitMs = 250; // what cannot be asked for now is not asked for without a pause

export interface SchedulerDeps {
  desired: { all(): DesiredState[]; get(user: string): DesiredState | undefined };
  memory: ScheduleMemory;
  requests: Pick<RequestBook, "runScheduled">;
  logger: Logger;
  /** Milliseconds since 1970. */
  now(): number;
}

/**
 * Asks for the runs that twins have scheduled. A time that came while the platform was down is made up for once: of
 * several only the latest. The run of a time has one id, made of the time, so that no crash makes two of it.
 */
export class Scheduler {
  readonly #deps: SchedulerDeps;
  readonly #serial = new SerialByKey();
  /** By `<user>/<twin>/<operation>`: when it is due, for the entry that this was computed from. */
  readonly #due = new Map<string, { of: ScheduledOperation; atMs: number }>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(deps: SchedulerDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#wait(0);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** Everybody with a schedule. One user's trouble is said, and nobody else's. */
  async lookAtAll(): Promise<void> {
    for (const { user } of this.#deps.desired.all()) {
      await this.look(user).catch((error: unknown) =>
        this.#deps.logger.warn({ user, err: messageOf(error) }, "schedule not followed; tried again soon"),
      );
    }
  }

  /** What is due for one user is asked for; new schedules count from now on. */
  async look(user: string): Promise<void> {
    await this.#serial.run(user, async () => {
      const before = await this.#deps.memory.get(user);
      const after: UserSchedule = {};
      for (const twin of this.#deps.desired.get(user)?.twins ?? []) {
        for (const [operation, time] of Object.entries(twin.schedule ?? {})) {
          const key = `${twin.name}/${operation}`;
          after[key] = await this.#follow({ user, twin, operation, time }, before[key]);
        }
      }
      await this.#deps.memory.put(user, after);
      for (const key of Object.keys(before)) if (!after[key]) this.#due.delete(`${user}/${key}`);
    });
  }

  async #follow(
    entry: { user: string; twin: DesiredTwin; operation: string; time: CronTime },
    before: ScheduledOperation | undefined,
  ): Promise<ScheduledOperation> {
    const { user, twin, operation, time } = entry;
    const nowMs = this.#deps.now();
    if (before?.cron !== time.cron || before.timeZone !== time.timeZone) {
      return { ...time, doneUpTo: new Date(nowMs).toISOString() };
    }
    const key = `${user}/${twin.name}/${operation}`;
    const atMs = this.#dueMs(key, before, nowMs);
    if (atMs > nowMs) return before;
    const dueMs = latestTime(time, Math.min(Date.parse(before.doneUpTo), nowMs), nowMs);
    if (dueMs === undefined) return before;
    const at = new Date(dueMs).toISOString();
    const result = twin.suspend
      ? { skipped: "the twin is suspended" }
      : await this.#deps.requests.runScheduled({ user, twin: twin.name, operation, atMs: dueMs });
    const isRun = "id" in result;
    this.#deps.logger.info(
      { user, twin: twin.name, operation, scheduledFor: at, ...(isRun ? { run: result.id } : result) },
      isRun ? "scheduled run asked for" : "scheduled run skipped",
    );
    return { ...time, doneUpTo: at, last: isRun ? { at, run: result.id } : { at, skipped: result.skipped } };
  }

  /** When this is due next; computed once for each state of it, again when the clock was set back. */
  #dueMs(key: string, of: ScheduledOperation, nowMs: number): number {
    const doneMs = Math.min(Date.parse(of.doneUpTo), nowMs);
    const known = this.#due.get(key);
    if (known?.of === of && doneMs !== nowMs) return known.atMs;
    const atMs = nextTime(of, doneMs) ?? Number.POSITIVE_INFINITY;
    this.#due.set(key, { of, atMs });
    return atMs;
  }

  #wait(ms: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      void this.lookAtAll().finally(() => {
        const next = Math.min(...[...this.#due.values()].map(({ atMs }) => atMs - this.#deps.now()));
        this.#wait(Math.max(shortestWaitMs, Math.min(longestWaitMs, next)));
      });
    }, ms);
  }
}
