import { randomBytes } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
} from "node:fs";
import { join } from "node:path";
import { type DataFolder, projectFolder, snapshotPath } from "#core/data-folder";
import { ActionNeededError, isSystemError } from "#core/errors";
import type { OnSetAside } from "#core/read-or-set-aside";
import { digest } from "#planning/keys";
import { mergeAssets } from "#planning/merge-assets";
import type { PinnedSnapshot, View, ViewSource } from "#schemas/desired-state";
import {
  type AboutGeneration,
  assetLink,
  buildGeneration,
  readGeneration,
  removeGeneration,
} from "./build-generation.ts";
import { LinkCache } from "./link-cache.ts";
import { assetFolder } from "./list-assets.ts";
import { ViewHolders } from "./view-holders.ts";

/** Where repositories are seen inside containers. */
export const assetsRoot = "/assets";

// A generation that nobody holds is kept this long: a container that wants it may be on its way.
const graceMs = 10 * 60_000;
const unfinished = /^\.(new|gone)-/;

/** One generation of a user's view, on this machine. */
export interface Generation {
  /** Like `g41`. */
  name: string;
  folder: string;
  sources: ViewSource[];
}

/**
 * The merged views of all users: `<views>/<user>/g<N>`, made of links only, so that a user costs links and nothing else.
 * A generation is never changed; `<views>/<user>/current` leads to the newest one and is replaced by one rename. A
 * generation is a function of its sources: it is found again by them, and can be made again from the snapshots at any
 * time. Everything that changes the disk is done without a pause, so that no two calls meet.
 */
export class Views {
  readonly holders: ViewHolders;
  readonly #data: DataFolder;
  readonly #hostPaths: boolean;
  readonly #links = new LinkCache();
  readonly #known = new Map<string, Map<string, Generation>>();

  /** `hostPaths`: links lead to where snapshots lie on this machine, for engines that cannot show them elsewhere. */
  constructor(data: DataFolder, options: { hostPaths: boolean; onSetAside?: OnSetAside }) {
    this.#data = data;
    this.#hostPaths = options.hostPaths;
    this.holders = new ViewHolders(data, options.onSetAside ?? (() => undefined));
  }

  /** Where a repository's commits are found by whoever looks through a view. */
  rootOf(project: string): string {
    return this.#hostPaths
      ? join(this.#data.snapshots, projectFolder(project))
      : `${assetsRoot}/${projectFolder(project)}`;
  }

  /** The folder with all generations of a user. */
  folder(user: string): string {
    return join(this.#data.views, checkedUser(user));
  }

  /**
   * The generation of these sources, made when it is not there; spared by `collect` for the next ten minutes. `assets`:
   * what the sources have together, where that is known. Errors: `ActionNeededError("SNAPSHOT_MISSING")`,
   * `ActionNeededError("DISK_FULL")`.
   */
  ensure(user: string, sources: readonly ViewSource[], assets?: View["assets"]): Generation {
    const roots = sources.map(({ project, commit, folder }) =>
      join(this.rootOf(project), commit, folder ?? ""),
    );
    const key = digest(
      "view",
      ...sources.flatMap((source, index) => [source.project, source.commit, roots[index] ?? ""]),
    );
    const known = this.#generations(user);
    const found = known.get(key);
    if (found && touch(found.folder)) return found;
    known.delete(key);
    const about: AboutGeneration = {
      key,
      sources: [...sources],
      roots: roots.map((root) => root.replace(/\/$/, "")),
      assets: (assets ?? this.#assetsOf(sources)).map(({ path, from }) => ({ path, from })),
    };
    const generation = this.#build(user, about);
    known.set(key, generation);
    return generation;
  }

  /** From now on this is what the user sees. */
  show(user: string, generation: Generation): void {
    const link = join(this.folder(user), "current");
    if (this.current(user) === generation.name) return;
    const fresh = join(this.folder(user), `.new-current-${randomBytes(4).toString("hex")}`);
    withRoom(() => symlinkSync(generation.name, fresh));
    renameSync(fresh, link);
  }

  /** Name of the generation that the user sees now. */
  current(user: string): string | undefined {
    try {
      return readlinkSync(join(this.folder(user), "current"));
    } catch (error) {
      if (isSystemError(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  /** Snapshots that a generation of this user leads to: as long as it is there, so must these. */
  needs(user: string): PinnedSnapshot[] {
    const all = [...this.#generations(user).values()].flatMap(({ sources }) => sources);
    return all.map(({ project, commit }) => ({ project, commit }));
  }

  /** Users that have a view. */
  users(): string[] {
    return namesIn(this.#data.views);
  }

  /**
   * Removes what nobody can hold: generations that are neither current, nor young, nor held by one of `containers` (names
   * of all that are there). A holder of the live view may hold every generation since it came. Resolves with how many
   * went.
   */
  async collect(user: string, containers: ReadonlySet<string>, nowMs = Date.now()): Promise<number> {
    const held = await this.holders.held(user, containers, nowMs);
    const current = this.current(user);
    let gone = 0;
    for (const [key, { name, folder }] of this.#generations(user)) {
      const number = numberOf(name);
      if (name === current || held.exact.has(number) || number >= held.from) continue;
      const about = statSync(folder, { throwIfNoEntry: false });
      if (about && nowMs - about.mtimeMs < graceMs) continue;
      removeGeneration(folder, this.#aside(user, name));
      this.#generations(user).delete(key);
      gone += 1;
    }
    return gone;
  }

  /** Removes a user's views altogether; nothing of the user may run. */
  async forget(user: string): Promise<void> {
    rmSync(this.folder(user), { recursive: true, force: true });
    this.#known.delete(user);
    await this.holders.forget(user);
  }

  #build(user: string, about: AboutGeneration): Generation {
    const folder = this.folder(user);
    mkdirSync(this.#data.views, { recursive: true, mode: 0o700 });
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o755);
    const name = `g${
      Math.max(
        0,
        ...namesIn(folder)
          .map(numberOf)
          .filter((number) => number > 0),
      ) + 1
    }`;
    const fresh = join(folder, `.new-${name}`);
    try {
      withRoom(() => buildGeneration(fresh, about, this.#links));
      renameSync(fresh, join(folder, name));
      this.#noteLinks(join(folder, name), about);
    } catch (error) {
      rmSync(fresh, { recursive: true, force: true });
      throw error;
    }
    return { name, folder: join(folder, name), sources: about.sources };
  }

  /** Whole generations on disk, by key. Looked at once per process; what a crash left half done is taken away. */
  #generations(user: string): Map<string, Generation> {
    const known = this.#known.get(user);
    if (known) return known;
    const found = new Map<string, Generation>();
    const folder = this.folder(user);
    for (const name of namesIn(folder)) {
      const path = join(folder, name);
      if (unfinished.test(name)) rmSync(path, { recursive: true, force: true });
      if (Number.isNaN(numberOf(name))) continue;
      const about = readGeneration(path);
      if (about) {
        found.set(about.key, { name, folder: path, sources: about.sources });
        this.#noteLinks(path, about);
      } else removeGeneration(path, this.#aside(user, name));
    }
    this.#known.set(user, found);
    return found;
  }

  #noteLinks(folder: string, about: AboutGeneration): void {
    for (const { path, from } of about.assets) this.#links.note(assetLink(path, from), join(folder, path));
  }

  #aside(user: string, name: string): string {
    return join(this.folder(user), `.gone-${name}-${randomBytes(4).toString("hex")}`);
  }

  #assetsOf(sources: readonly ViewSource[]): AboutGeneration["assets"] {
    const folders = sources.map(({ project, commit, folder }) => {
      const snapshot = snapshotPath(this.#data, project, commit);
      if (statSync(snapshot, { throwIfNoEntry: false }) === undefined) {
        throw new ActionNeededError(
          "SNAPSHOT_MISSING",
          `${project} at ${commit.slice(0, 8)} is not on disk any more`,
          {
            hint: "ask for it again: what can still be fetched from the Git host is checked out then",
          },
        );
      }
      return assetFolder(join(snapshot, folder ?? ""));
    });
    return mergeAssets(folders).assets;
  }
}

function numberOf(name: string): number {
  return Number(/^g([1-9]\d*)$/.exec(name)?.[1] ?? Number.NaN);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return [];
    throw error;
  }
}

function touch(folder: string): boolean {
  try {
    const now = new Date();
    utimesSync(folder, now, now);
    return true;
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return false;
    throw error;
  }
}

function withRoom(write: () => void): void {
  try {
    write();
  } catch (error) {
    if (!isSystemError(error, "ENOSPC") && !isSystemError(error, "EDQUOT")) throw error;
    throw new ActionNeededError("DISK_FULL", "there is no room for another view", {
      hint: "make room on the disk of the data folder",
      cause: error,
    });
  }
}

/** Names of users are names of folders here. */
function checkedUser(user: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$/.test(user)) return user;
  throw new Error(`not a user name: ${JSON.stringify(user)}`);
}
