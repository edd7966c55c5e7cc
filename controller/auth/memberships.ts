import { ActionNeededError, TryLaterError } from "#core/errors";
import type { Logger } from "#core/logger";
import type { Forge, ForgeProject } from "../forge/forge.ts";
import { ExpiringCache } from "./expiring-cache.ts";

const levelForMs = 30_000; // a membership that was taken away ends after at most this long
const projectForMs = 60_000;
const missingForMs = 10_000; // a new project is seen after at most this long
const maxLevels = 50_000;

/** Projects and access levels of the forge, remembered for a short while. */
export class Memberships {
  readonly #forge: Pick<Forge, "project" | "accessLevel">;
  readonly #logger: Logger;
  readonly #projects: ExpiringCache<ForgeProject | undefined>;
  readonly #levels: ExpiringCache<number>;

  constructor(forge: Pick<Forge, "project" | "accessLevel">, logger: Logger, nowMs?: () => number) {
    const clock = nowMs ? { nowMs } : {};
    this.#forge = forge;
    this.#logger = logger;
    this.#projects = new ExpiringCache({ maxEntries: maxLevels, ...clock });
    this.#levels = new ExpiringCache({ maxEntries: maxLevels, ...clock });
  }

  async project(path: string): Promise<ForgeProject | undefined> {
    return await this.#asPlatform(() =>
      this.#projects.get(
        path,
        () => this.#forge.project(path),
        (found) => (found ? projectForMs : missingForMs),
      ),
    );
  }

  /** 0 for a stranger, and where there is no such project. */
  async level(projectPath: string, userId: number): Promise<number> {
    const project = await this.project(projectPath);
    if (!project) return 0;
    return await this.#asPlatform(() =>
      this.#levels.get(
        `${project.id}:${userId}`,
        () => this.#forge.accessLevel(project, userId),
        () => levelForMs,
      ),
    );
  }

  /** A refusal of our own token is no fault of the caller. */
  async #asPlatform<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof ActionNeededError) || error.code !== "FORGE_TOKEN_REFUSED") throw error;
      this.#logger.error({ err: error.message }, "the forge refuses the platform's own token");
      throw new TryLaterError("the platform cannot ask the Git host about memberships", {
        retryAfterMs: 30_000,
        cause: error,
      });
    }
  }
}
