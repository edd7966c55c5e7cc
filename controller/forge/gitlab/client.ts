import { createRequesterFn } from "@gitbeaker/requester-utils";
import {
  Branches,
  Commits,
  Deployments,
  Environments,
  GroupMembers,
  Groups,
  GroupVariables,
  Jobs,
  MergeRequestDiscussions,
  MergeRequestNotes,
  MergeRequests,
  Pipelines,
  ProjectHooks,
  ProjectMembers,
  Projects,
  ProjectVariables,
  Repositories,
  RepositoryFiles,
  Users,
} from "@gitbeaker/rest";
import { Connection, type ConnectionOptions } from "./connection.ts";

/** The parts of GitLab's API that we speak, for one account. */
export interface GitLabClient {
  projects: Projects;
  groups: Groups;
  branches: Branches;
  commits: Commits;
  files: RepositoryFiles;
  repositories: Repositories;
  hooks: ProjectHooks;
  members: ProjectMembers;
  projectVariables: ProjectVariables;
  groupVariables: GroupVariables;
  groupMembers: GroupMembers;
  users: Users;
  pipelines: Pipelines;
  jobs: Jobs;
  environments: Environments;
  deployments: Deployments;
  /** What gitbeaker would change on the way: the keys of a body as they are. */
  post(endpoint: string, body: unknown): Promise<unknown>;
  readText(endpoint: string, part: { offset: number; maxBytes: number }): Promise<Buffer>;
  mergeRequests: MergeRequests;
  discussions: MergeRequestDiscussions;
  notes: MergeRequestNotes;
}

/** gitbeaker on our own connection. Any kind of access token works, those of OAuth included. */
export function gitLabClient(host: string, token: string, connection: ConnectionOptions): GitLabClient {
  const ours = new Connection(connection);
  const { send } = ours;
  const raw = { prefixUrl: `${host}/api/v4/`, headers: { authorization: `Bearer ${token}` } };
  const options = {
    host,
    oauthToken: token,
    requesterFn: createRequesterFn((_service, request) => Promise.resolve(request), send),
    queryTimeout: null, // the connection has a deadline of its own
    rateLimits: {},
  };
  return {
    projects: new Projects(options),
    groups: new Groups(options),
    branches: new Branches(options),
    commits: new Commits(options),
    files: new RepositoryFiles(options),
    repositories: new Repositories(options),
    hooks: new ProjectHooks(options),
    members: new ProjectMembers(options),
    projectVariables: new ProjectVariables(options),
    groupVariables: new GroupVariables(options),
    groupMembers: new GroupMembers(options),
    users: new Users(options),
    pipelines: new Pipelines(options),
    jobs: new Jobs(options),
    environments: new Environments(options),
    deployments: new Deployments(options),
    post: async (endpoint, body) => {
      const headers = { ...raw.headers, "content-type": "application/json" };
      return (await send(endpoint, { ...raw, headers, method: "POST", body: JSON.stringify(body) })).body;
    },
    readText: (endpoint, part) => ours.readText(endpoint, raw, part),
    mergeRequests: new MergeRequests(options),
    discussions: new MergeRequestDiscussions(options),
    notes: new MergeRequestNotes(options),
  };
}
