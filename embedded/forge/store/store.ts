import { join } from "node:path";
import { Collection, type Index } from "./collection.ts";
import type {
  LabelRecord,
  MergeRequestRecord,
  MergeRequestVersionRecord,
  NoteRecord,
  SuggestionRecord,
} from "./merge-request-records.ts";
import type {
  ApplicationRecord,
  DeployTokenRecord,
  HookRecord,
  HookTarget,
  MemberRecord,
  NamespaceRecord,
  ProjectRecord,
  TokenRecord,
  UserRecord,
  VariableRecord,
} from "./records.ts";

/** Everything the forge knows beside Git itself. Paths and user names are compared without regard to case. */
export interface Store {
  users: Collection<UserRecord>;
  usersByName: Index<UserRecord>;
  tokens: Collection<TokenRecord>;
  tokensByHash: Index<TokenRecord>;
  tokensByUser: Index<TokenRecord>;
  namespaces: Collection<NamespaceRecord>;
  namespacesByPath: Index<NamespaceRecord>;
  projects: Collection<ProjectRecord>;
  projectsByPath: Index<ProjectRecord>;
  projectsByNamespace: Index<ProjectRecord>;
  /** Forks. Key: number of the project they were made from. */
  forksByProject: Index<ProjectRecord>;
  members: Collection<MemberRecord>;
  /** Key: `<source>:<source id>`. */
  membersBySource: Index<MemberRecord>;
  /** Key: user id. */
  membersByUser: Index<MemberRecord>;
  hooks: Collection<HookRecord>;
  /** Key: project id. */
  hooksByProject: Index<HookRecord>;
  systemHooks: Collection<HookTarget>;
  deployTokens: Collection<DeployTokenRecord>;
  deployTokensByHash: Index<DeployTokenRecord>;
  /** Key: `<source>:<source id>`. */
  deployTokensBySource: Index<DeployTokenRecord>;
  variables: Collection<VariableRecord>;
  /** Key: `<source>:<source id>`. */
  variablesBySource: Index<VariableRecord>;
  mergeRequests: Collection<MergeRequestRecord>;
  /** Key: id of the target project. */
  mergeRequestsByProject: Index<MergeRequestRecord>;
  /** Key: `<target project id>:<iid>`. */
  mergeRequestsByIid: Index<MergeRequestRecord>;
  /** Open ones. Key: `<source project id>:<branch>`. */
  mergeRequestsBySource: Index<MergeRequestRecord>;
  /** Open ones. Key: `<target project id>:<branch>`. */
  mergeRequestsByTarget: Index<MergeRequestRecord>;
  mergeRequestVersions: Collection<MergeRequestVersionRecord>;
  /** Key: id of the merge request; the oldest first. */
  versionsByMergeRequest: Index<MergeRequestVersionRecord>;
  notes: Collection<NoteRecord>;
  /** Key: the note's target. */
  notesByTarget: Index<NoteRecord>;
  suggestions: Collection<SuggestionRecord>;
  /** Key: note id. */
  suggestionsByNote: Index<SuggestionRecord>;
  labels: Collection<LabelRecord>;
  /** Key: project id. */
  labelsByProject: Index<LabelRecord>;
  applications: Collection<ApplicationRecord>;
  /** Key: client id. */
  applicationsByClient: Index<ApplicationRecord>;
}

export async function openStore(folder: string): Promise<Store> {
  const variables = await Collection.open<VariableRecord>(join(folder, "variables"));
  const applications = await Collection.open<ApplicationRecord>(join(folder, "applications"));
  const [users, tokens, namespaces, projects, members, hooks, systemHooks, deployTokens] = await Promise.all([
    Collection.open<UserRecord>(join(folder, "users")),
    Collection.open<TokenRecord>(join(folder, "tokens")),
    Collection.open<NamespaceRecord>(join(folder, "namespaces")),
    Collection.open<ProjectRecord>(join(folder, "projects")),
    Collection.open<MemberRecord>(join(folder, "members")),
    Collection.open<HookRecord>(join(folder, "hooks")),
    Collection.open<HookTarget>(join(folder, "system-hooks")),
    Collection.open<DeployTokenRecord>(join(folder, "deploy-tokens")),
  ]);
  const [mergeRequests, mergeRequestVersions, notes, suggestions, labels] = await Promise.all([
    Collection.open<MergeRequestRecord>(join(folder, "merge-requests")),
    Collection.open<MergeRequestVersionRecord>(join(folder, "merge-request-versions")),
    Collection.open<NoteRecord>(join(folder, "notes")),
    Collection.open<SuggestionRecord>(join(folder, "suggestions")),
    Collection.open<LabelRecord>(join(folder, "labels")),
  ]);
  return {
    users,
    usersByName: users.indexBy((user) => user.username.toLowerCase()),
    tokens,
    tokensByHash: tokens.indexBy((token) => token.hash),
    tokensByUser: tokens.indexBy((token) => String(token.userId)),
    namespaces,
    namespacesByPath: namespaces.indexBy((namespace) => namespace.fullPath.toLowerCase()),
    projects,
    projectsByPath: projects.indexBy((project) => project.fullPath.toLowerCase()),
    projectsByNamespace: projects.indexBy((project) => String(project.namespaceId)),
    forksByProject: projects.indexBy((project) => String(project.forkedFromId ?? "")),
    members,
    membersBySource: members.indexBy((member) => `${member.source}:${member.sourceId}`),
    membersByUser: members.indexBy((member) => String(member.userId)),
    hooks,
    hooksByProject: hooks.indexBy((hook) => String(hook.projectId)),
    systemHooks,
    deployTokens,
    deployTokensByHash: deployTokens.indexBy((token) => token.hash),
    deployTokensBySource: deployTokens.indexBy((token) => `${token.source}:${token.sourceId}`),
    variables,
    variablesBySource: variables.indexBy((variable) => `${variable.source}:${variable.sourceId}`),
    mergeRequests,
    mergeRequestsByProject: mergeRequests.indexBy((each) => String(each.projectId)),
    mergeRequestsByIid: mergeRequests.indexBy((each) => `${each.projectId}:${each.iid}`),
    mergeRequestsBySource: mergeRequests.indexBy((each) =>
      each.state === "opened" ? `${each.sourceProjectId}:${each.sourceBranch}` : "",
    ),
    mergeRequestsByTarget: mergeRequests.indexBy((each) =>
      each.state === "opened" ? `${each.projectId}:${each.targetBranch}` : "",
    ),
    mergeRequestVersions,
    versionsByMergeRequest: mergeRequestVersions.indexBy((each) => String(each.mergeRequestId)),
    notes,
    notesByTarget: notes.indexBy((note) => note.target),
    suggestions,
    suggestionsByNote: suggestions.indexBy((suggestion) => String(suggestion.noteId)),
    labels,
    labelsByProject: labels.indexBy((label) => String(label.projectId)),
    applications,
    applicationsByClient: applications.indexBy((application) => application.clientId),
  };
}
