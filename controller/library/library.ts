import pLimit from "p-limit";
import { ActionNeededError, TryLaterError } from "#core/errors";
import { SerialByKey } from "#core/serial-by-key";
import type { LibraryChange, LibraryHit } from "#schemas/library";
import { GitReader } from "../assets/git-reader.ts";
import type { Mirrors } from "../assets/mirrors.ts";
import type { Forge } from "../forge/forge.ts";
import type { AssetKind } from "./asset-kinds.ts";
import type { Catalogue } from "./catalogue.ts";
import { Catalogues } from "./catalogues.ts";
import { type CommitWish, commitChanges } from "./commit-changes.ts";
import { type LibraryRepository, Repositories, type RepositoriesDeps } from "./repositories.ts";

const readsAtOnce = 4; // repositories of one search that are read for the first time

export interface LibraryDeps extends RepositoriesDeps {
  forge: Pick<Forge, "project" | "gitAccess" | "commit">;
  mirrors: Mirrors;
}

/**
 * The assets of all users and the shared ones. It reads from mirrors at exact commits and writes through the Git host, with the
 * caller's token. Who may do what is asked before, in `controller/auth`.
 */
export class Library {
  readonly repositories: Repositories;
  readonly #deps: LibraryDeps;
  readonly #catalogues = new Catalogues();
  readonly #serial = new SerialByKey();

  constructor(deps: LibraryDeps) {
    this.#deps = deps;
    this.repositories = new Repositories(deps);
  }

  /**
   * A repository at its head, or at a commit somebody has read before. `undefined` where it has no commit yet. Errors:
   * those of `GitReader.open`.
   */
  async read(repository: LibraryRepository, commit?: string): Promise<GitReader | undefined> {
    const { project } = repository;
    const at = commit ?? (await this.repositories.head(project));
    return at === undefined ? undefined : await GitReader.open(this.#deps.mirrors, project.id, at);
  }

  async catalogue(reader: GitReader): Promise<Catalogue> {
    return await this.#catalogues.of(reader);
  }

  /**
   * Searches the heads of these repositories, best first. One that cannot be read now is left out: the others are
   * searched all the same.
   */
  async search(
    repositories: readonly LibraryRepository[],
    words: string,
    kind: AssetKind | undefined,
  ): Promise<LibraryHit[]> {
    const limit = pLimit(readsAtOnce);
    const hits = await limit.map([...repositories], async (repository) => {
      try {
        const reader = await this.read(repository);
        if (!reader) return [];
        const found = (await this.catalogue(reader)).search(words, kind);
        const { path } = repository.project;
        return found.map(({ asset, score }) => ({
          ...asset,
          repository: path,
          commit: reader.commit,
          score,
        }));
      } catch (error) {
        if (error instanceof ActionNeededError || error instanceof TryLaterError) return [];
        throw error;
      }
    });
    return hits.flat().sort((a, b) => b.score - a.score);
  }

  /** Changes files in one commit; see `commitChanges`. */
  change(repository: LibraryRepository, wish: CommitWish): Promise<LibraryChange> {
    const { forge, mirrors } = this.#deps;
    const deps = { forge, mirrors, repositories: this.repositories, serial: this.#serial };
    return commitChanges(deps, repository.project, wish);
  }
}
