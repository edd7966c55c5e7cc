import { createRequesterFn } from "@gitbeaker/requester-utils";
import {
  Branches,
  Commits,
  GroupMembers,
  Groups,
  GroupVariables,
  MergeRequestDiscussions,
  MergeRequestNotes,
  MergeRequests,
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
  mergeRequests: MergeRequests;
  discussions: MergeRequestDiscussions;
  notes: MergeRequestNotes;
}

/** gitbeaker on our own connection. Any kind of access token works, those of OAuth included. */
export function gitLabClient(host: string, token: string, connection: ConnectionOptions): GitLabClient {
  const { send } = new Connection(connection);
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
    mergeRequests: new MergeRequests(options),
    discussions: new MergeRequestDiscussions(options),
    notes: new MergeRequestNotes(options),
  };
}
