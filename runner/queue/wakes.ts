// A clock may be set back by years: the plan is made again long before such an alarm, and timers of Node.js end at 24 days.
const longestMs = 3600 * 1000;

/** One alarm for each user: the earliest time at which a plan wants to be made again. */
export class Wakes {
  readonly #alarms = new Map<string, { atMs: number; timer: NodeJS.Timeout }>();
  readonly #nudge: (user: string) => void;

  constructor(nudge: (user: string) => void) {
    this.#nudge = nudge;
  }

  at(user: string, atMs: number): void {
    const before = this.#alarms.get(user);
    if (before && before.atMs <= atMs && before.atMs > Date.now()) return;
    if (before) clearTimeout(before.timer);
    const timer = setTimeout(
      () => {
        this.#alarms.delete(user);
        this.#nudge(user);
      },
      Math.min(longestMs, Math.max(10, atMs - Date.now())), // never a busy loop
    );
    this.#alarms.set(user, { atMs, timer });
  }

  close(): void {
    for (const { timer } of this.#alarms.values()) clearTimeout(timer);
    this.#alarms.clear();
  }
}
