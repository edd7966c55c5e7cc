import type { ForgeMergeRequests } from "./forge-merge-requests.ts";
import type { ForgeEnvironments, ForgePipelines } from "./forge-pipelines.ts";

/**
 * A Git host in our words. A missing thing is `undefined`; a refused token is `ActionNeededError("FORGE_TOKEN_REFUSED")`;
 * a host that is down or says "slow down" is `TryLaterError`.
 */
export interface Forge {
  /** Which Git host a project is on, by our id of it, or what we call the whole host. */
  hostOf(projectId: number): ForgeHost;
  /** Projects of the group, archived ones left out, with the head of their default branch where it is known cheaply. */
  listProjects(group: string): Promise<ForgeProject[]>;
  project(path: string): Promise<ForgeProject | undefined>;
  /** Commit id of the default branch's head; `undefined` for an empty repository. */
  head(project: ForgeProject): Promise<string | undefined>;
  /**
   * Heads of many projects in a few calls, by project id, `undefined` for an empty repository. Who is missing in the answer is
   * to be asked for with `head`: the host cannot be asked for many at once, would not tell, or knows no such project.
   */
  heads(projects: readonly ForgeProject[]): Promise<ReadonlyMap<number, string | undefined>>;
  /** Makes the project's webhook as wanted: missing made, wrong mended, double removed. */
  ensureHook(project: ForgeProject, hook: WantedHook): Promise<void>;
  /** Sets a commit status under the platform's own account. */
  setStatus(project: ForgeProject, status: CommitStatus): Promise<void>;
  /** The newest status of each name on a commit. */
  listStatuses(project: ForgeProject, commit: string): Promise<CommitStatus[]>;
  /** Who a token belongs to; `undefined` for a token that is no longer good. */
  whoIs(token: string): Promise<ForgeUser | undefined>;
  /** Who has this user name; `undefined` where nobody has. */
  findUser(username: string): Promise<ForgeUser | undefined>;
  /** The member's access level on the project, inherited ones included; 0 for a stranger. */
  accessLevel(project: ForgeProject, userId: number): Promise<number>;
  /** Nobody but members sees the project, what is said in it included. */
  isPrivate(project: ForgeProject): Promise<boolean>;
  /**
   * Everybody with access to a project or a group, inherited memberships included, blocked accounts left out; `undefined`
   * where there is no such thing.
   */
  members(of: { project: string } | { group: string }): Promise<ForgeMember[] | undefined>;
  /** Replaces one file in one commit on the default branch, with the caller's own token and rights. */
  commitFile(project: ForgeProject, change: FileChange): Promise<{ commit: string }>;
  /**
   * Adds or replaces files in one commit on any branch, with the caller's own token and rights. A branch that is not there
   * starts at the head of the default branch. `commit` is `undefined` when all files are there already as they are.
   * `ActionNeededError("BRANCH_MOVED")` when somebody pushed in between: ask again.
   */
  commitFiles(project: ForgeProject, change: FilesChange): Promise<{ commit: string | undefined }>;
  /**
   * Makes all changes in one commit, or none, with the caller's own token and rights: on the default branch, or on a new branch
   * from its head. An empty repository gets its first commit on `main`. A file that is not as its action expects is
   * `ActionNeededError("FILE_CHANGED")`; what else the host refuses is `COMMIT_REFUSED` or `FORGE_FORBIDDEN`.
   */
  commit(project: ForgeProject, commit: NewCommit): Promise<{ commit: string }>;
  /** URL and credentials for `git fetch`; the token is for the header only, never for a command line. */
  gitAccess(project: ForgeProject): ForgeGitAccess;
  readonly variables: ForgeVariables;
  readonly pipelines: ForgePipelines;
  readonly environments: ForgeEnvironments;
  readonly mergeRequests: ForgeMergeRequests;
}

/** A Git host among those that are served. */
export interface ForgeHost {
  kind: ForgeKind;
  /** What paths of its projects begin with; `undefined` for the host that users are on. */
  name: string | undefined;
}

export type ForgeKind = "gitlab" | "github";

export interface ForgeGitAccess {
  url: string;
  username: string;
  password: string;
  /** Where the host keeps the commits of merge requests, as `<this>/<iid>/head`; default: `refs/merge-requests`. */
  mergeRequestRefs?: string;
}

/** CI/CD variables: where the values of secrets come from. Values stay in memory, and out of messages. */
export interface ForgeVariables {
  /**
   * Every variable a job of the project could see: its own first, then those of the groups around it, the nearest
   * first. `ActionNeededError("FORGE_FORBIDDEN")` where the account may not read those of the project.
   */
  list(project: ForgeProject): Promise<ListedVariables>;
  /** Makes a variable of the project or replaces its value, with the caller's own token and rights. */
  set(project: ForgeProject, change: VariableChange): Promise<{ created: boolean }>;
  /** With the caller's own token; false where there is no such variable. */
  remove(project: ForgeProject, which: Omit<VariableChange, "value">): Promise<boolean>;
}

export interface ListedVariables {
  variables: ForgeVariable[];
  /** Full paths of groups whose variables the account may not read. */
  unreadable: string[];
  /** Protected variables are for protected branches only. */
  defaultBranchIsProtected: boolean;
}

export interface ForgeVariable {
  key: string;
  /** `undefined` for a hidden one: the host tells it to nobody. */
  value: string | undefined;
  kind: "variable" | "file";
  protected: boolean;
  masked: boolean;
  /** Environments it is for; `*` stands for any characters. */
  scope: string;
  /** Full path of the project or group that has it. */
  of: string;
}

export interface VariableChange {
  token: string;
  key: string;
  scope: string;
  value: string;
}

export interface ForgeProject {
  id: number;
  /** Full path, such as `dtaas/user1`. */
  path: string;
  /** `undefined` for an empty repository. */
  defaultBranch: string | undefined;
  webUrl: string;
}

export interface WantedHook {
  url: string;
  token: string;
  /** `whsec_` + base64 of 32 bytes; used where the host can sign. */
  signingToken: string;
}

export interface CommitStatus {
  commit: string;
  ref: string;
  name: string;
  state: "pending" | "running" | "success" | "failed" | "canceled";
  /** At most 255 characters. */
  description: string;
  targetUrl?: string;
}

export interface ForgeUser {
  id: number;
  username: string;
  name: string;
}

export interface ForgeMember {
  username: string;
  accessLevel: number;
}

export interface FileChange {
  token: string;
  file: string;
  content: string;
  message: string;
  /** The change is refused with `ActionNeededError("FILE_CHANGED")` when the file has moved on since this commit. */
  baseCommit: string;
}

export interface FilesChange {
  token: string;
  branch: string;
  files: readonly { path: string; content: Uint8Array }[];
  message: string;
}

export interface NewCommit {
  token: string;
  message: string;
  /** A branch to be made for it; the default branch where it is absent. */
  newBranch?: string;
  /** Carried out one after another. */
  actions: readonly FileAction[];
}

/** `lastCommit`: the newest commit that touched the file as far as the caller knows; another one is a conflict. */
export type FileAction =
  | { action: "create"; path: string; content: Uint8Array; executable: boolean }
  | { action: "update"; path: string; content: Uint8Array; lastCommit: string }
  | { action: "delete"; path: string; lastCommit: string }
  /** Content and mode stay. */
  | { action: "move"; from: string; path: string; lastCommit: string }
  | { action: "chmod"; path: string; executable: boolean };
