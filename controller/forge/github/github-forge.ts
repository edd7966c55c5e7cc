import { clientsByToken } from "../clients-by-token.ts";
import type {
  CommitStatus,
  FileChange,
  FilesChange,
  Forge,
  ForgeHost,
  ForgeMember,
  ForgeProject,
  ForgeUser,
  ForgeVariables,
  NewCommit,
  WantedHook,
} from "../forge.ts";
import type { ForgeMergeRequests } from "../forge-merge-requests.ts";
import type { ForgeEnvironments, ForgePipelines } from "../forge-pipelines.ts";
import type { HeadQuestions } from "../head-questions.ts";
import { apiUrlOf, type GitHubClient, gitHubClient } from "./client.ts";
import { commit } from "./commit.ts";
import { commitFiles } from "./commit-files.ts";
import type { ConnectionOptions } from "./connection.ts";
import { gitHubEnvironments } from "./environments.ts";
import { commitFile } from "./files.ts";
import { gitHubHeads } from "./heads.ts";
import { ensureHook } from "./hooks.ts";
import { gitHubMergeRequests } from "./merge-requests.ts";
import { gitHubPipelines } from "./pipelines.ts";
import { findHead, findProject, isPrivate, listProjects } from "./projects.ts";
import { listStatuses, setStatus } from "./statuses.ts";
import { currentUser, findAccessLevel, findUser, listMembers, looksLikeToken } from "./users.ts";
import { listVariables, removeVariable, setVariable } from "./variables.ts";

export interface GitHubForgeOptions {
  /** Where people look: `https://github.com`, or that of a GitHub Enterprise Server. */
  url: string;
  /** Of the platform's own account; docs/github.md names its permissions. */
  token: string;
  connection?: ConnectionOptions;
}

/** GitHub as our Git host, through `@octokit/rest`. A group is an organisation; `organisation/team` one with fewer members. */
export class GitHubForge implements Forge {
  readonly variables: ForgeVariables = {
    list: (project) => listVariables(this.#own, project),
    set: (project) => setVariable(project),
    remove: (project, { token, ...which }) => removeVariable(this.#clientOf(token), project, which),
  };
  readonly mergeRequests: ForgeMergeRequests;
  readonly pipelines: ForgePipelines;
  readonly environments: ForgeEnvironments;
  readonly #url: string;
  readonly #token: string;
  readonly #own: GitHubClient;
  readonly #heads: HeadQuestions;
  readonly #clientOf: (token: string) => GitHubClient;

  constructor(options: GitHubForgeOptions) {
    this.#url = options.url.replace(/\/+$/, "");
    this.#token = options.token;
    const { connection = {} } = options;
    this.#own = gitHubClient(apiUrlOf(this.#url), this.#token, connection);
    this.#clientOf = clientsByToken((token) => gitHubClient(apiUrlOf(this.#url), token, connection));
    this.#heads = gitHubHeads(this.#own);
    this.pipelines = gitHubPipelines(this.#own, (token) => this.#clientOf(token));
    this.environments = gitHubEnvironments(this.#own);
    this.mergeRequests = gitHubMergeRequests(this.#own, (token) => this.#clientOf(token));
  }

  hostOf(): ForgeHost {
    return { kind: "github", name: undefined };
  }

  listProjects(group: string): Promise<ForgeProject[]> {
    return listProjects(this.#own, group);
  }

  project(path: string): Promise<ForgeProject | undefined> {
    return findProject(this.#own, path);
  }

  head(project: ForgeProject): Promise<string | undefined> {
    return findHead(this.#own, project);
  }

  heads(projects: readonly ForgeProject[]): Promise<ReadonlyMap<number, string | undefined>> {
    return this.#heads.of(projects);
  }

  ensureHook(project: ForgeProject, hook: WantedHook): Promise<void> {
    return ensureHook(this.#own, project, hook);
  }

  setStatus(project: ForgeProject, status: CommitStatus): Promise<void> {
    return setStatus(this.#own, project, status);
  }

  listStatuses(project: ForgeProject, commit: string): Promise<CommitStatus[]> {
    return listStatuses(this.#own, project, commit);
  }

  async whoIs(token: string): Promise<ForgeUser | undefined> {
    return looksLikeToken(token) ? currentUser(this.#clientOf(token)) : undefined;
  }

  findUser(username: string): Promise<ForgeUser | undefined> {
    return findUser(this.#own, username);
  }

  accessLevel(project: ForgeProject, userId: number): Promise<number> {
    return findAccessLevel(this.#own, project, userId);
  }

  isPrivate(project: ForgeProject): Promise<boolean> {
    return isPrivate(this.#own, project);
  }

  members(of: { project: string } | { group: string }): Promise<ForgeMember[] | undefined> {
    return listMembers(this.#own, of);
  }

  async commitFile(project: ForgeProject, change: FileChange): Promise<{ commit: string }> {
    const { token, ...rest } = change;
    return commitFile(this.#clientOf(token), project, rest);
  }

  async commitFiles(project: ForgeProject, change: FilesChange): Promise<{ commit: string | undefined }> {
    const { token, ...rest } = change;
    return commitFiles(this.#clientOf(token), project, rest);
  }

  async commit(project: ForgeProject, wanted: NewCommit): Promise<{ commit: string }> {
    const { token, ...rest } = wanted;
    return commit(this.#clientOf(token), project, rest);
  }

  gitAccess(project: ForgeProject) {
    return {
      url: `${this.#url}/${project.path}.git`,
      username: "x-access-token",
      password: this.#token,
      mergeRequestRefs: "refs/pull",
    };
  }
}
