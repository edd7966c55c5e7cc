import type { ForgeUser } from "../forge/forge.ts";
import { type Action, accessLevels, type Decision, decide } from "./decide.ts";
import type { Memberships } from "./memberships.ts";

/** Whether a user may read a shared-asset repository as a member of a group that platform.yaml names. */
export type ReadsShared = (user: string, project: string) => Promise<boolean>;

/** Who asks: by token, or as the author of something on the Git host. */
export interface Asking {
  user: Pick<ForgeUser, "id" | "username">;
}

/** Asks the forge for the levels and `decide` for the decision. */
export class Rights {
  readonly #memberships: Pick<Memberships, "level">;
  readonly #group: string;
  readonly #readsShared: ReadsShared;

  constructor(memberships: Pick<Memberships, "level">, group: string, readsShared: ReadsShared) {
    this.#memberships = memberships;
    this.#group = group;
    this.#readsShared = readsShared;
  }

  /** Where a user's repository is. */
  projectOf(user: string): string {
    return `${this.#group}/${user}`;
  }

  /** `project`: full path; `undefined` where only the platform is asked about. */
  async decide(caller: Asking, action: Action, project: string | undefined): Promise<Decision> {
    if (action === "identify") return decide(action, { project: 0, platform: 0 });
    const platform = await this.#platformLevel(caller);
    const isEnough = decide(action, { project: 0, platform }) === "allowed";
    const level =
      isEnough || project === undefined ? 0 : await this.#memberships.level(project, caller.user.id);
    const decision = decide(action, {
      project: level,
      platform,
      own: project === this.projectOf(caller.user.username),
    });
    if (action !== "see" || decision === "allowed" || project === undefined) return decision;
    return (await this.#readsShared(caller.user.username, project)) ? "allowed" : decision;
  }

  async mayUser(caller: Asking, action: Action, user: string): Promise<boolean> {
    return (await this.decide(caller, action, this.projectOf(user))) === "allowed";
  }

  async isAdministrator(caller: Asking): Promise<boolean> {
    return (await this.#platformLevel(caller)) >= accessLevels.maintainer;
  }

  #platformLevel(caller: Asking): Promise<number> {
    return this.#memberships.level(`${this.#group}/platform`, caller.user.id);
  }
}
