import type { ForgeUser } from "../forge/forge.ts";
import type { CiJob } from "./ci-token.ts";
import { type Action, accessLevels, type Decision, decide, type Standing } from "./decide.ts";
import type { Memberships } from "./memberships.ts";

/** Whether a user may read a shared-asset repository as a member of a group that platform.yaml names. */
export type ReadsShared = (user: string, project: string) => Promise<boolean>;

/** Who asks: by token, or as the author of something on the Git host. */
export interface Asking {
  user: Pick<ForgeUser, "id" | "username">;
  /** A job of a pipeline in the name of that user. */
  job?: CiJob;
}

/** Asks the forge for the levels and `decide` for the decision. */
export class Rights {
  readonly #memberships: Pick<Memberships, "level" | "project">;
  readonly #group: string;
  readonly #readsShared: ReadsShared;

  constructor(memberships: Pick<Memberships, "level" | "project">, group: string, readsShared: ReadsShared) {
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
    if (caller.job) return decide(action, await this.#standingOfJob(caller.job, project));
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
    if (caller.job) return false;
    return (await this.#platformLevel(caller)) >= accessLevels.maintainer;
  }

  /** A job stands in its own project only, with its user's level there as it is now. */
  async #standingOfJob(job: CiJob, project: string | undefined): Promise<Standing> {
    const found = project === undefined ? undefined : await this.#memberships.project(project);
    const isItsOwn = project !== undefined && found?.id === job.projectId;
    const level = isItsOwn ? await this.#memberships.level(project, job.user.id) : 0;
    return { project: level, platform: 0, job };
  }

  #platformLevel(caller: Asking): Promise<number> {
    return this.#memberships.level(`${this.#group}/platform`, caller.user.id);
  }
}
