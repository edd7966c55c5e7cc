/**
 * Which shared repositories could not be reached when the Git host was asked last, and why. In memory only: after a start each is
 * asked for again.
 */
export class SharedReach {
  readonly #away = new Map<string, string>();

  /** Why it cannot be reached; `undefined` where it can, as far as is known. */
  problem(project: string): string | undefined {
    return this.#away.get(project);
  }

  /** True when it could be reached before. The first reason stays until it is found again. */
  lost(project: string, reason: string): boolean {
    if (this.#away.has(project)) return false;
    this.#away.set(project, reason);
    return true;
  }

  /** True when it could not be reached before. */
  found(project: string): boolean {
    return this.#away.delete(project);
  }
}
