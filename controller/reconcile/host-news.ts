/** Something happened to a project on the host. */
export interface News {
  /** The commit that its default branch is said to point to now. */
  head?: string;
}

/**
 * What the host has told about projects and nobody has read yet. A project without news need not be fetched: somebody
 * asks for it to be looked at because something else has changed. Lives in memory only: after a start all deliveries without
 * an outcome count as news, and the resync finds everything that was missed.
 */
export class HostNews {
  readonly #unread = new Map<string, News>();

  note(path: string, head?: string): void {
    this.#unread.set(path, head === undefined ? {} : { head });
  }

  of(path: string): News | undefined {
    return this.#unread.get(path);
  }

  /** The project was brought up to these news; later ones stay. */
  read(path: string, news: News | undefined): void {
    if (this.#unread.get(path) === news) this.#unread.delete(path);
  }
}
