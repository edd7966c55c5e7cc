/** Keeps account of work that nobody waits for, so that a stop can. */
export class Underway {
  readonly #tasks = new Set<Promise<unknown>>();

  /** Starts the task; what it resolves or rejects with is the caller's. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const running = task();
    const entry = running.catch(() => {}).finally(() => this.#tasks.delete(entry));
    this.#tasks.add(entry);
    return running;
  }

  /** Resolves once nothing is under way, also what was started meanwhile. */
  async settled(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.all([...this.#tasks]);
  }
}
