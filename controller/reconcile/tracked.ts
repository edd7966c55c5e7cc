import { join } from "node:path";
import { writeJsonAtomic } from "#core/atomic-file";
import type { DataFolder } from "#core/data-folder";
import { ActionNeededError } from "#core/errors";
import { type OnSetAside, readOrSetAside } from "#core/read-or-set-aside";
import { twinDefaults } from "#schemas/defaults";
import type { PlatformSettings } from "#schemas/desired-state";
import type { PlatformDocument } from "#schemas/twin-spec";
import type { ForgeProject } from "../forge/forge.ts";
import type { SharedWish } from "./shared-readers.ts";

export type Role =
  | { kind: "platform" }
  | { kind: "shared" }
  | { kind: "user"; user: string }
  | { kind: "untracked" };

/** Which projects the platform follows and what each is for; kept on disk, so that a start needs no answer of the host. */
export class Tracked {
  readonly group: string;
  readonly #path: string;
  readonly #settingsPath: string;
  #platform: PlatformDocument | undefined;
  #projects = new Map<string, ForgeProject>();
  #isListed = false;
  /** By user: shared repositories of the user's own list. */
  #listed = new Map<string, readonly string[]>();

  private constructor(group: string, data: DataFolder) {
    this.group = group;
    this.#path = join(data.root, "tracked.json");
    this.#settingsPath = data.platform;
  }

  /** What cannot be understood on disk is set aside: the host is asked for all of it again. */
  static async open(group: string, data: DataFolder, onSetAside: OnSetAside): Promise<Tracked> {
    const tracked = new Tracked(group, data);
    const saved = await readOrSetAside(tracked.#path, { check: checkSaved, onSetAside });
    tracked.#platform = saved?.platform;
    tracked.#projects = new Map((saved?.projects ?? []).map((project) => [project.path, project]));
    if (tracked.#platform) await tracked.#tellRunner(tracked.#platform);
    tracked.#listed = new Map(Object.entries(saved?.listed ?? {}));
    return tracked;
  }

  get platform(): PlatformDocument | undefined {
    return this.#platform;
  }

  /** Whether all projects of the host have been listed by this process: what is not among them is not there. */
  get isListed(): boolean {
    return this.#isListed;
  }

  get projects(): ForgeProject[] {
    return [...this.#projects.values()];
  }

  /** The platform's shared-asset repositories, in order of precedence. */
  get sharedWishes(): SharedWish[] {
    return this.#platform?.shared ?? [{ project: `${this.group}/common`, groups: [] }];
  }

  /** Shared-asset projects: the platform's, in order of precedence, then those that only users list. */
  get shared(): string[] {
    return this.allWishes.map(({ project }) => project);
  }

  /** The same with the groups that may read them. */
  get allWishes(): SharedWish[] {
    const listed = [...this.#listed.values()].flat().map((project) => ({ project, groups: [] }));
    const first = new Map<string, SharedWish>();
    for (const wish of [...this.sharedWishes, ...listed]) {
      if (!first.has(wish.project)) first.set(wish.project, wish);
    }
    return [...first.values()];
  }

  /** Shared repositories of a user's own list. */
  listedBy(user: string): readonly string[] {
    return this.#listed.get(user) ?? [];
  }

  /** Users who list this project themselves. */
  listersOf(path: string): string[] {
    return [...this.#listed].flatMap(([user, projects]) => (projects.includes(path) ? [user] : []));
  }

  async noteListed(user: string, projects: readonly string[]): Promise<void> {
    if (JSON.stringify(this.listedBy(user)) === JSON.stringify(projects)) return;
    if (projects.length === 0) this.#listed.delete(user);
    else this.#listed.set(user, [...projects]);
    await this.#save();
  }

  project(path: string): ForgeProject | undefined {
    return this.#projects.get(path);
  }

  projectOf(user: string): ForgeProject | undefined {
    return this.#projects.get(`${this.group}/${user}`);
  }

  role(path: string): Role {
    if (path === `${this.group}/platform`) return { kind: "platform" };
    if (this.sharedWishes.some(({ project }) => project === path)) return { kind: "shared" };
    const parent = path.slice(0, Math.max(0, path.lastIndexOf("/")));
    if (parent === this.group && this.#projects.has(path)) {
      return { kind: "user", user: path.slice(parent.length + 1) };
    }
    return this.listersOf(path).length > 0 ? { kind: "shared" } : { kind: "untracked" };
  }

  users(): { user: string; project: ForgeProject }[] {
    return this.projects.flatMap((project) => {
      const role = this.role(project.path);
      return role.kind === "user" ? [{ user: role.user, project }] : [];
    });
  }

  async setPlatform(platform: PlatformDocument | undefined): Promise<boolean> {
    if (JSON.stringify(platform) === JSON.stringify(this.#platform)) return false;
    await this.#tellRunner(platform); // first: what is saved here is not told again
    this.#platform = platform;
    await this.#save();
    return true;
  }

  /** Returns what is new and what is gone. */
  async setProjects(
    projects: readonly ForgeProject[],
  ): Promise<{ added: ForgeProject[]; removed: ForgeProject[] }> {
    this.#isListed = true;
    const next = new Map(projects.map((project) => [project.path, project]));
    const added = projects.filter((project) => !this.#projects.has(project.path));
    const removed = this.projects.filter((project) => !next.has(project.path));
    const changed = JSON.stringify([...next.values()]) !== JSON.stringify(this.projects);
    this.#projects = next;
    if (changed) await this.#save();
    return { added, removed };
  }

  async note(project: ForgeProject): Promise<void> {
    const before = this.#projects.get(project.path);
    if (JSON.stringify(before) === JSON.stringify(project)) return;
    this.#projects.set(project.path, project);
    await this.#save();
  }

  /** The runner reads no repository: what it has to know of platform.yaml lies in a document of its own. */
  async #tellRunner(platform: PlatformDocument | undefined): Promise<void> {
    const settings: PlatformSettings = {
      version: 1,
      ...(platform?.retention ? { retention: platform.retention } : {}),
      ...(platform?.workspaces ? { images: platform.workspaces.images } : {}),
      defaults: twinDefaults({ platform }),
    };
    await writeJsonAtomic(this.#settingsPath, settings);
  }

  async #save(): Promise<void> {
    await writeJsonAtomic(this.#path, {
      ...(this.#platform ? { platform: this.#platform } : {}),
      projects: this.projects,
      listed: Object.fromEntries(this.#listed),
    });
  }
}

interface Saved {
  platform?: PlatformDocument;
  projects: ForgeProject[];
  listed?: Record<string, string[]>;
}

function checkSaved(value: unknown, path: string): Saved {
  const { platform, projects } = (value ?? {}) as { platform?: unknown; projects?: unknown };
  const isPlatform = platform === undefined || Array.isArray((platform as Partial<PlatformDocument>)?.shared);
  if (isPlatform && Array.isArray(projects) && projects.every(isProject)) return value as Saved;
  throw new ActionNeededError("DOCUMENT_INVALID", `${path} is no list of projects`);
}

function isProject(value: unknown): boolean {
  const { id, path } = (value ?? {}) as Partial<ForgeProject>;
  return typeof id === "number" && typeof path === "string";
}
