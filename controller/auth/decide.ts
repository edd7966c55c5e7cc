// Access levels of the forge, as GitLab counts them.
export const accessLevels = { reporter: 20, developer: 30, maintainer: 40, owner: 50 } as const;

/**
 * What can be asked of a user's project or of the platform.
 * - `identify`: who am I, what does the API offer; anybody with a good token;
 * - `see`: twins, runs, logs, outputs and plans of one user;
 * - `operate`: run and cancel operations; `change-state`: commit `state:` or results;
 * - `change-files`: commit files with the caller's own token;
 * - `manage-secrets`: set, replace, delete and list secrets; nobody may read a value back;
 * - `work`: use a workspace, which holds what one person has not shown to anybody: that person alone, with a developer's role;
 * - `delete`: take away what is kept of a user's twins;
 * - `see-pipelines`, `run-pipelines`: pipelines of the project on the Git host, with the caller's own token there;
 * - `administer`: state of the platform itself.
 */
export type Action =
  | "identify"
  | "see"
  | "operate"
  | "change-state"
  | "change-files"
  | "manage-secrets"
  | "work"
  | "delete"
  | "see-pipelines"
  | "run-pipelines"
  | "administer";

export interface Standing {
  /** Level on the user's project, inherited memberships included; 0 for a stranger or where there is no project. */
  project: number;
  /** Level on the platform project; its maintainers administer. */
  platform: number;
  /** The project is the one of the user who asks. */
  own?: boolean;
  /**
   * A job of a pipeline asks. `project` is then the level of the job's user, 0 in any other project than the job's own.
   * `isRefProtected`: anybody with a developer's role can make jobs on a ref that is not protected, in whatever name.
   */
  job?: { isRefProtected: boolean };
}

/** `hidden`: answer as if it were not there. */
export type Decision = "allowed" | "denied" | "hidden";

const neededLevel: Record<Exclude<Action, "identify" | "administer">, number> = {
  see: accessLevels.reporter,
  operate: accessLevels.developer,
  "change-state": accessLevels.developer,
  "change-files": accessLevels.developer,
  "manage-secrets": accessLevels.maintainer,
  work: accessLevels.developer,
  delete: accessLevels.maintainer,
  "see-pipelines": accessLevels.reporter,
  "run-pipelines": accessLevels.developer,
};

/** What a job may be allowed; for the rest the Git host would have to know its token, or a person is needed. */
const jobActions: readonly Action[] = ["identify", "see", "operate", "delete"];

/** The one decision about rights. Pure. */
export function decide(action: Action, standing: Standing): Decision {
  if (action === "identify") return "allowed";
  if (standing.job) return decideForJob(action, standing.project, standing.job);
  if (standing.platform >= accessLevels.maintainer) return "allowed";
  if (action === "administer") return "denied";
  if (standing.project < accessLevels.reporter) return "hidden";
  if (action === "work" && standing.own !== true) return "denied";
  return standing.project >= neededLevel[action] ? "allowed" : "denied";
}

/** Never more than the job's user, never as an administrator, and on a ref that is not protected at most what a developer may. */
function decideForJob(action: Action, level: number, job: { isRefProtected: boolean }): Decision {
  if (action === "administer") return "denied";
  if (level < accessLevels.reporter) return "hidden";
  if (!jobActions.includes(action)) return "denied";
  const counts = job.isRefProtected ? level : Math.min(level, accessLevels.developer);
  return decide(action, { project: counts, platform: 0 });
}
