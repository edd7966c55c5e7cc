import { ActionNeededError } from "#core/errors";
import type { ForgeMember, ForgeProject, ForgeUser } from "../forge.ts";
import type { GitHubClient } from "./client.ts";
import { undefinedWhenMissing } from "./errors.ts";
import { at, isPrivate, repositoryOf } from "./projects.ts";

/** As the decision about rights counts them. */
const levels = { reader: 20, writer: 30, maintainer: 40, owner: 50 } as const;

interface Permissions {
  admin?: boolean | undefined;
  maintain?: boolean | undefined;
  push?: boolean | undefined;
  triage?: boolean | undefined;
  pull?: boolean | undefined;
}

/** What may stand in a header as a token; anything else is no token and is not even asked about. */
export function looksLikeToken(token: string): boolean {
  return /^[\x21-\x7e]{1,4096}$/.test(token);
}

/** Whose token the client has; `undefined` when GitHub does not take it, or it may not even say whose it is. */
export async function currentUser(client: GitHubClient): Promise<ForgeUser | undefined> {
  try {
    return toUser((await client.rest.users.getAuthenticated()).data);
  } catch (error) {
    const code = error instanceof ActionNeededError ? error.code : undefined;
    if (code === "FORGE_TOKEN_REFUSED" || code === "FORGE_FORBIDDEN") return undefined;
    throw error;
  }
}

/** Who has this user name now; organisations and applications are nobody. */
export async function findUser(client: GitHubClient, username: string): Promise<ForgeUser | undefined> {
  const found = (await undefinedWhenMissing(client.rest.users.getByUsername({ username })))?.data;
  if (found === undefined || !isActive(found)) return undefined;
  return found.login.toLowerCase() === username.toLowerCase() ? toUser(found) : undefined;
}

/** Access level on a project, through teams and the organisation too; 0 for a stranger. */
export async function findAccessLevel(
  client: GitHubClient,
  project: ForgeProject,
  userId: number,
): Promise<number> {
  // Names can be given away and taken by others; the id tells who has it now.
  const asked = client.request("GET /user/{account_id}", { account_id: userId });
  const user = (await undefinedWhenMissing(asked))?.data as UserReply | undefined;
  if (user === undefined || !isActive(user)) return 0;
  const who = { ...at(project), username: user.login };
  const found = (await undefinedWhenMissing(client.rest.repos.getCollaboratorPermissionLevel(who)))?.data;
  const granted = (found?.user as { permissions?: Permissions } | null | undefined)?.permissions;
  const level = granted ? levelOf(granted) : (byWord[found?.permission ?? ""] ?? 0);
  if (level !== levels.reader || (await isPrivate(client, project))) return level;
  // Everybody may read what is public: that alone makes nobody a member.
  const isMember = await undefinedWhenMissing(client.rest.repos.checkCollaborator(who));
  return isMember === undefined ? 0 : level;
}

/**
 * Everybody who may do something with a repository, through teams and the organisation too; of an organisation its members; of
 * `organisation/team` those of the team. GitHub gives all members of an organisation one level; owners have all of it.
 */
export async function listMembers(
  client: GitHubClient,
  of: { project: string } | { group: string },
): Promise<ForgeMember[] | undefined> {
  if ("group" in of) return await membersOfGroup(client, of.group);
  const names = repositoryOf(of.project);
  const asked = names && client.paginate(client.rest.repos.listCollaborators, { ...names, per_page: 100 });
  const found = asked && (await undefinedWhenMissing(asked));
  return found
    ?.map(({ login, permissions }) => ({ username: login, accessLevel: levelOf(permissions ?? {}) }))
    .filter(({ accessLevel }) => accessLevel > 0);
}

async function membersOfGroup(client: GitHubClient, group: string): Promise<ForgeMember[] | undefined> {
  const [org = "", team, ...more] = group.split("/");
  if (more.length > 0) return undefined;
  const found = (await undefinedWhenMissing(client.rest.orgs.get({ org })))?.data;
  if (found === undefined) return undefined;
  const page = { org, per_page: 100 };
  const listed =
    team === undefined
      ? client.paginate(client.rest.orgs.listMembers, { ...page, role: "all" as const })
      : client.paginate(client.rest.teams.listMembersInOrg, { ...page, team_slug: team });
  const owners = client.paginate(client.rest.orgs.listMembers, { ...page, role: "admin" as const });
  const both = await undefinedWhenMissing(Promise.all([listed, owners]));
  const isOwner = new Set(both?.[1].map(({ id }) => id));
  const base = byWord[found.default_repository_permission ?? "read"] ?? 0;
  return both?.[0].map(({ id, login }) => ({
    username: login,
    accessLevel: isOwner.has(id) ? levels.owner : base,
  }));
}

const byWord: Record<string, number> = { read: levels.reader, write: levels.writer, admin: levels.owner };

function levelOf({ admin, maintain, push, triage, pull }: Permissions): number {
  if (admin) return levels.owner;
  if (maintain) return levels.maintainer;
  if (push) return levels.writer;
  return triage || pull ? levels.reader : 0;
}

interface UserReply {
  id: number;
  login: string;
  name?: string | null;
  type?: string;
  /** Of a GitHub Enterprise Server. */
  suspended_at?: string | null;
}

function isActive(user: UserReply): boolean {
  return (user.type ?? "User") === "User" && !user.suspended_at;
}

function toUser({ id, login, name }: UserReply): ForgeUser {
  return { id, username: login, name: name || login };
}
