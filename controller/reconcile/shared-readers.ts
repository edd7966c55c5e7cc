import { join } from "node:path";
import { writeJsonAtomic } from "#core/atomic-file";
import type { DataFolder } from "#core/data-folder";
import { ActionNeededError, messageOf } from "#core/errors";
import type { Logger } from "#core/logger";
import { logSetAside, readOrSetAside } from "#core/read-or-set-aside";
import { SerialByKey } from "#core/serial-by-key";
import { accessLevels } from "../auth/decide.ts";
import type { Forge } from "../forge/forge.ts";

/** A shared-asset repository, and the groups whose members may read it, too. */
export interface SharedWish {
  project: string;
  groups: readonly string[];
}

/**
 * Who may read which shared repository, as the Git host says: members of its project that may see code there, and members
 * of the groups that platform.yaml names. Kept on disk: while the host does not answer, what was known last counts.
 */
export class SharedReaders {
  readonly #path: string;
  readonly #forge: Pick<Forge, "members">;
  readonly #logger: Logger;
  readonly #readers: Map<string, ReadonlySet<string>>;
  readonly #serial = new SerialByKey();

  private constructor(
    path: string,
    forge: Pick<Forge, "members">,
    logger: Logger,
    readers: Map<string, ReadonlySet<string>>,
  ) {
    this.#path = path;
    this.#forge = forge;
    this.#logger = logger;
    this.#readers = readers;
  }

  static async open(data: DataFolder, forge: Pick<Forge, "members">, logger: Logger): Promise<SharedReaders> {
    const path = join(data.root, "readers.json");
    const onSetAside = logSetAside(logger);
    const saved = (await readOrSetAside(path, { check: checkReaders, onSetAside })) ?? {};
    const readers = new Map(Object.entries(saved).map(([key, users]) => [key, new Set(users)]));
    return new SharedReaders(path, forge, logger, readers);
  }

  /** Asks the host only for what was never known; throws what it throws then. */
  async mayRead(wish: SharedWish, user: string): Promise<boolean> {
    const known = this.#readers.get(keyOf(wish));
    if (known) return known.has(user);
    await this.#serial.run(keyOf(wish), async () => {
      if (!this.#readers.has(keyOf(wish))) await this.#replace(wish, await this.#ask(wish));
    });
    return this.#readers.get(keyOf(wish))?.has(user) ?? false;
  }

  /**
   * Asks the host about all of these. Resolves with the users who gained or lost something. What is not among them is
   * forgotten; where the host does not answer, what was known stays.
   */
  async refresh(wishes: readonly SharedWish[]): Promise<Set<string>> {
    const changed = new Set<string>();
    for (const wish of wishes) {
      try {
        await this.#serial.run(keyOf(wish), async () => {
          const before = this.#readers.get(keyOf(wish));
          const after = await this.#ask(wish);
          const gained = [...after].filter((user) => !before?.has(user));
          const lost = [...(before ?? [])].filter((user) => !after.has(user));
          if (before && gained.length + lost.length === 0) return;
          await this.#replace(wish, after);
          this.#logger.info(
            { project: wish.project, gained, lost },
            "readers of a shared repository changed",
          );
          for (const user of [...gained, ...lost]) changed.add(user);
        });
      } catch (error) {
        const { project } = wish;
        this.#logger.warn({ project, err: messageOf(error) }, "its readers stay as known; asked again soon");
      }
    }
    const wanted = new Set(wishes.map(keyOf));
    for (const key of this.#readers.keys()) if (!wanted.has(key)) this.#readers.delete(key);
    return changed;
  }

  async #ask(wish: SharedWish): Promise<Set<string>> {
    const readers = new Set<string>();
    for (const { username, accessLevel } of (await this.#forge.members({ project: wish.project })) ?? []) {
      if (accessLevel >= accessLevels.reporter) readers.add(username);
    }
    for (const group of wish.groups) {
      for (const { username } of (await this.#forge.members({ group })) ?? []) readers.add(username);
    }
    return readers;
  }

  async #replace(wish: SharedWish, readers: ReadonlySet<string>): Promise<void> {
    this.#readers.set(keyOf(wish), readers);
    const all = [...this.#readers].map(([key, users]) => [key, [...users].sort()] as const);
    await this.#serial.run("file", () => writeJsonAtomic(this.#path, Object.fromEntries(all), 0o600));
  }
}

function checkReaders(value: unknown, path: string): Record<string, string[]> {
  const lists = value !== null && typeof value === "object" ? Object.values(value) : [undefined];
  const isNames = (list: unknown) => Array.isArray(list) && list.every((name) => typeof name === "string");
  if (!Array.isArray(value) && lists.every(isNames)) return value as Record<string, string[]>;
  throw new ActionNeededError("DOCUMENT_INVALID", `${path} is no list of readers`);
}

function keyOf({ project, groups }: SharedWish): string {
  return [project, ...groups].join(" ");
}
