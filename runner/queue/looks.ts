interface Wish {
  done: Promise<void>;
  settle: () => void;
}

/**
 * Looks at users: a few at a time, never two at the same user, in the order they were asked for. Whoever is asked for
 * during a look is looked at once more afterwards, however often that was. Needs nothing but this process, so that
 * twins are kept up while Redis is away.
 */
export class Looks {
  readonly #look: (user: string) => Promise<void>;
  readonly #atOnce: number;
  readonly #waiting = new Map<string, Wish>();
  readonly #active = new Map<string, Promise<void>>();
  #closed = false;

  /** `look` handles its own errors; what it throws all the same is swallowed. */
  constructor(atOnce: number, look: (user: string) => Promise<void>) {
    this.#atOnce = atOnce;
    this.#look = look;
  }

  /** Resolves when a look that began after this call has ended. */
  ask(user: string): Promise<void> {
    if (this.#closed) return Promise.resolve();
    let wish = this.#waiting.get(user);
    if (!wish) {
      let settle: () => void = () => undefined;
      const done = new Promise<void>((resolve) => {
        settle = resolve;
      });
      wish = { done, settle };
      this.#waiting.set(user, wish);
    }
    this.#begin();
    return wish.done;
  }

  /** No look begins any more; resolves when those under way have ended. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { settle } of this.#waiting.values()) settle();
    this.#waiting.clear();
    await Promise.all(this.#active.values());
  }

  #begin(): void {
    for (const [user, wish] of this.#waiting) {
      if (this.#active.size >= this.#atOnce) return;
      if (this.#active.has(user)) continue;
      this.#waiting.delete(user);
      const looking = this.#look(user)
        .catch(() => undefined)
        .finally(() => {
          this.#active.delete(user);
          wish.settle();
          this.#begin();
        });
      this.#active.set(user, looking);
    }
  }
}
