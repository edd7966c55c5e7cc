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
import { type GitLabClient, gitLabClient } from "./client.ts";
import { commit } from "./commit.ts";
import { commitFiles } from "./commit-files.ts";
import type { ConnectionOptions } from "./connection.ts";
import { deploy, ensureEnvironment, setDeployment, stopEnvironment } from "./environments.ts";
import { commitFile } from "./files.ts";
import { gitLabHeads } from "./heads.ts";
import { ensureHook } from "./hooks.ts";
import { gitLabMergeRequests } from "./merge-requests.ts";
import {
  changeJob,
  changePipeline,
  findJob,
  listPipelines,
  readTrace,
  runPipeline,
  showPipeline,
} from "./pipelines.ts";
import { findHead, findProject, isPrivate, listProjects } from "./projects.ts";
import { listStatuses, setStatus } from "./statuses.ts";
import { currentUser, findAccessLevel, findUser, listMembers, looksLikeToken } from "./users.ts";
import { listVariables, removeVariable, setVariable } from "./variables.ts";

export interface GitLabForgeOptions {
  /** Base URL such as `https://gitlab.example.org`, with a sub-path where GitLab has one. */
  url: string;
  /** Of the platform's own account: scope `api`, Maintainer in the tracked group. */
  token: string;
  connection?: ConnectionOptions;
}

/** GitLab as our Git host, through `@gitbeaker/rest`. */
export class GitLabForge implements Forge {
  readonly variables: ForgeVariables = {
    list: (project) => listVariables(this.#own, project),
    set: (project, { token, ...change }) => setVariable(this.#clientOf(token), project, change),
    remove: (project, { token, ...which }) => removeVariable(this.#clientOf(token), project, which),
  };
  readonly pipelines: ForgePipelines = {
    run: (project, { token, ...wish }) => runPipeline(this.#clientOf(token), project, wish),
    list: (project, { token, ...page }) => listPipelines(this.#clientOf(token), project, page),
    show: (project, id, token) => showPipeline(this.#clientOf(token), project, id),
    change: (project, { token, ...wish }) => changePipeline(this.#clientOf(token), project, wish),
    job: (project, id, token) => findJob(this.#clientOf(token), project, id),
    changeJob: (project, { token, ...wish }) => changeJob(this.#clientOf(token), project, wish),
    trace: (project, job, { token, offset }) => readTrace(this.#clientOf(token), project, { job, offset }),
  };
  readonly environments: ForgeEnvironments = {
    ensure: (project, wanted) => ensureEnvironment(this.#own, project, wanted),
    stop: (project, name) => stopEnvironment(this.#own, project, name),
    deploy: (project, wanted) => deploy(this.#own, project, wanted),
    setDeployment: (project, id, state) => setDeployment(this.#own, project, { id, state }),
  };
  readonly #url: string;
  readonly #token: string;
  readonly #own: GitLabClient;
  readonly #heads: HeadQuestions;
  readonly #clients: (token: string) => GitLabClient;
  readonly #writtenHooks = new Set<string>();
  readonly mergeRequests: ForgeMergeRequests;

  constructor(options: GitLabForgeOptions) {
    this.#url = options.url.replace(/\/+$/, "");
    this.#token = options.token;
    const { connection = {} } = options;
    this.#own = gitLabClient(this.#url, this.#token, connection);
    this.#clients = clientsByToken((token) => gitLabClient(this.#url, token, connection));
    this.#heads = gitLabHeads(this.#own);
    this.mergeRequests = gitLabMergeRequests(this.#own, (token) => this.#clientOf(token));
  }

  hostOf(): ForgeHost {
    return { kind: "gitlab", name: undefined };
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
    return ensureHook(this.#own, project, hook, this.#writtenHooks);
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

  gitAccess(project: ForgeProject): { url: string; username: string; password: string } {
    return { url: `${this.#url}/${project.path}.git`, username: "oauth2", password: this.#token };
  }

  /** Without a token the platform's own. */
  #clientOf(token: string | undefined): GitLabClient {
    if (token === undefined) return this.#own;
    return this.#clients(token);
  }
}
