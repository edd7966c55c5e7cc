/**
 * Queue names and what a job says. A job is a nudge: it names whom to look at, never what changed; the worker reads
 * the truth from disk, Git or the engine. Losing every job loses nothing but time.
 */
export const queues = {
  /** Controller: bring one project's desired-state document up to its head. */
  project: "dtaas-project",
  /** Controller: look at one merge request. */
  review: "dtaas-review",
  /** Runner: make what is what one user's desired-state document says. */
  user: "dtaas-user",
  /** Runner: build one workspace image. */
  build: "dtaas-build",
  /** Controller: tell the Git host what was observed for one user. */
  observed: "dtaas-observed",
} as const;

/** Changes of one user within this time are told to the Git host together: each call costs both sides some milliseconds. */
export const reportPace = { ms: 500, first: "later" } as const;

export interface ProjectJob {
  /** Full path of the project. */
  project: string;
}

export interface ReviewJob {
  /** Full path of the project that the merge request wants to change. */
  project: string;
  iid: number;
}

export interface UserJob {
  user: string;
}

export interface BuildJob {
  /** Content hash of the recipe. */
  hash: string;
  workspace: { template: string; packages: { apt: string[]; pip: string[] } };
}

export interface ObservedJob {
  user: string;
}
