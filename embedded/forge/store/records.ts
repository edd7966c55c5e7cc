/** What the forge keeps on disk. Times are ISO 8601 in UTC, `expiresOn` is a day. */

export type Visibility = "private" | "internal" | "public";

export interface UserRecord {
  readonly id: number;
  username: string;
  name: string;
  email: string;
  state: "active" | "blocked";
  isAdmin: boolean;
  /** `scrypt:<salt>:<key>`; `null` means no sign-in by password. */
  password: string | null;
  namespaceId: number;
  createdAt: string;
  /** Set for the bot that a project access token belongs to. */
  botOfProject?: number;
}

export interface TokenRecord {
  readonly id: number;
  userId: number;
  name: string;
  description: string | null;
  scopes: string[];
  /** SHA-256 of the token, hex. The token itself is not kept. */
  hash: string;
  revoked: boolean;
  createdAt: string;
  expiresOn: string | null;
  lastUsedAt: string | null;
}

/** Groups and the personal namespaces of users share identifiers and paths. */
export interface NamespaceRecord {
  readonly id: number;
  kind: "group" | "user";
  path: string;
  fullPath: string;
  name: string;
  description: string;
  parentId: number | null;
  /** The user of a personal namespace. */
  ownerId: number | null;
  visibility: Visibility;
  createdAt: string;
}

export interface ProtectedBranch {
  id: number;
  /** A branch name; `*` stands for any characters. */
  name: string;
  pushLevel: number;
  mergeLevel: number;
  allowForcePush: boolean;
}

export interface ProjectRecord {
  readonly id: number;
  namespaceId: number;
  path: string;
  fullPath: string;
  name: string;
  description: string | null;
  defaultBranch: string;
  /** No branch was ever pushed. */
  empty: boolean;
  visibility: Visibility;
  archived: boolean;
  topics: string[];
  creatorId: number;
  createdAt: string;
  updatedAt: string;
  lastActivityAt: string;
  protectedBranches: ProtectedBranch[];
  mergeMethod: "merge" | "rebase_merge" | "ff";
  squashOption: "never" | "always" | "default_on" | "default_off";
  onlyAllowMergeIfPipelineSucceeds: boolean;
  onlyAllowMergeIfDiscussionsResolved?: boolean;
  /** The project this one is a fork of; it may be gone. */
  forkedFromId?: number | null;
  /** The number the next merge request gets. */
  nextMergeRequest?: number;
  ciConfigPath: string | null;
}

export interface MemberRecord {
  readonly id: number;
  source: "group" | "project";
  sourceId: number;
  userId: number;
  accessLevel: number;
  createdAt: string;
  createdById: number | null;
  expiresOn: string | null;
}

/** A hook of the whole forge, and what those of projects share with it. */
export interface HookTarget {
  readonly id: number;
  url: string;
  name: string | null;
  description: string | null;
  /** Sent as `X-Gitlab-Token`. */
  token: string | null;
  /** `whsec_` and 32 bytes in base64; signs the deliveries. */
  signingToken: string | null;
  verifyTls: boolean;
  /** API names of the events wanted, such as `push_events`. */
  events: string[];
  branchFilter: string | null;
  branchFilterStrategy: "wildcard" | "all_branches";
  customHeaders: { key: string; value: string }[];
  createdAt: string;
}

export interface HookRecord extends HookTarget {
  projectId: number;
}

/** Reads repositories, and nothing else: no user stands behind it. */
export interface DeployTokenRecord {
  readonly id: number;
  name: string;
  username: string;
  scopes: string[];
  /** SHA-256 of the token, hex. The token itself is not kept. */
  hash: string;
  source: "project" | "group";
  sourceId: number;
  createdAt: string;
  expiresAt: string | null;
}

/** A CI/CD variable. The value stands here as it is: a job has to be given it. */
export interface VariableRecord {
  readonly id: number;
  source: "project" | "group";
  sourceId: number;
  key: string;
  value: string;
  type: "env_var" | "file";
  protected: boolean;
  masked: boolean;
  hidden: boolean;
  raw: boolean;
  environmentScope: string;
  description: string | null;
}

/** A program that lets people sign in with the forge (OAuth, OpenID Connect). */
export interface ApplicationRecord {
  readonly id: number;
  /** The client id. */
  clientId: string;
  /** SHA-256 of the secret, hex. The secret itself is not kept. */
  secretHash: string;
  name: string;
  redirectUris: string[];
  scopes: string[];
  /** It can keep a secret; without one it has to prove itself with PKCE. */
  confidential: boolean;
  /** The platform's own: users are not asked whether they agree. */
  trusted: boolean;
  createdAt: string;
}
