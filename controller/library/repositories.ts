import { ActionNeededError } from "#core/errors";
import type { Mirrors } from "../assets/mirrors.ts";
import type { Forge, ForgeProject } from "../forge/forge.ts";
import type { Tracked } from "../reconcile/tracked.ts";

/** A repository of the library: a user's own, or one whose assets everybody shares. */
export interface LibraryRepository {
  project: ForgeProject;
  kind: "user" | "shared";
}

export interface RepositoriesDeps {
  forge: Pick<Forge, "project" | "gitAccess">;
  mirrors: Mirrors;
  /** A fetch of ours has brought a newer head: whoever reconciles must hear of it, since the mirror is up to date now. */
  onMoved: (path: string, head: string) => void;
  tracked: Pick<Tracked, "group" | "shared" | "project" | "projects" | "role" | "note">;
}

/** Which repositories the library has and where their heads are. Reading asks the Git host for nothing it was told. */
export class Repositories {
  readonly #deps: RepositoriesDeps;

  constructor(deps: RepositoriesDeps) {
    this.#deps = deps;
  }

  /** The full path of a project; a name without `/` lies in the platform's group. */
  fullPath(name: string): string {
    return name.includes("/") ? name : `${this.#deps.tracked.group}/${name}`;
  }

  /** Those that are known, users' first, sorted by path. Rights are the caller's to ask. */
  list(): LibraryRepository[] {
    const found = this.#deps.tracked.projects.flatMap((project) => {
      const { kind } = this.#deps.tracked.role(project.path);
      return kind === "user" || kind === "shared" ? [{ project, kind }] : [];
    });
    const order = (one: LibraryRepository) => `${one.kind === "user" ? 0 : 1} ${one.project.path}`;
    return found.sort((a, b) => (order(a) < order(b) ? -1 : 1));
  }

  /** Throws `ActionNeededError("NOT_FOUND")` for what is no repository of the library. */
  async find(path: string): Promise<LibraryRepository> {
    const { tracked, forge } = this.#deps;
    const known = tracked.project(path);
    const { kind } = tracked.role(path);
    if (kind === "user" || kind === "shared") {
      const project = known?.defaultBranch ? known : await forge.project(path);
      if (project) {
        await tracked.note(project);
        return { project, kind };
      }
    }
    throw new ActionNeededError("NOT_FOUND", "there is no such thing, or you may not see it", {
      hint: "list what there is: dtaas library list",
    });
  }

  /** The head as the mirror has it, without asking anybody. */
  known(project: ForgeProject): Promise<string | undefined> {
    return this.#deps.mirrors.head(project);
  }

  /** The commit that reading shows: the mirror's, which webhooks and the resync keep fresh. `undefined`: empty. */
  async head(project: ForgeProject): Promise<string | undefined> {
    return (await this.#deps.mirrors.head(project)) ?? (await this.fetch(project));
  }

  /** The commit that the Git host has now, fetched. With `wanted`, the host is not asked when it is here already. */
  async fetch(project: ForgeProject, wanted?: string): Promise<string | undefined> {
    const { mirrors, forge, onMoved } = this.#deps;
    const before = await mirrors.head(project);
    const options = wanted === undefined ? {} : { wanted };
    const head = await mirrors.fetch(project, forge.gitAccess(project), options);
    if (head !== undefined && head !== before) onMoved(project.path, head);
    return head;
  }
}
