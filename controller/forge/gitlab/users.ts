import { ActionNeededError } from "#core/errors";
import type { ForgeMember, ForgeProject, ForgeUser } from "../forge.ts";
import type { GitLabClient } from "./client.ts";
import { undefinedWhenMissing } from "./errors.ts";

/** What may stand in a header as a token; anything else is no token and is not even asked about. */
export function looksLikeToken(token: string): boolean {
  return /^[\x21-\x7e]{1,4096}$/.test(token);
}

/** Whose token the client has; `undefined` when GitLab does not take it, or it may not even say whose it is. */
export async function currentUser(client: GitLabClient): Promise<ForgeUser | undefined> {
  try {
    const user = await client.users.showCurrentUser();
    return user.state === "active" ? { id: user.id, username: user.username, name: user.name } : undefined;
  } catch (error) {
    const code = error instanceof ActionNeededError ? error.code : undefined;
    if (code === "FORGE_TOKEN_REFUSED" || code === "FORGE_FORBIDDEN") return undefined;
    throw error;
  }
}

/** Who has this user name now; an account that is blocked is nobody. */
export async function findUser(client: GitLabClient, username: string): Promise<ForgeUser | undefined> {
  const found = await client.users.all({ username });
  const user = found.find((one) => one.username.toLowerCase() === username.toLowerCase());
  if (user?.state !== "active") return undefined;
  return { id: user.id, username: user.username, name: user.name };
}

/** Access level on a project, through groups too; 0 for a stranger, a blocked account or a membership not yet accepted. */
export async function findAccessLevel(
  client: GitLabClient,
  project: ForgeProject,
  userId: number,
): Promise<number> {
  const member = (await undefinedWhenMissing(
    client.members.show(project.id, userId, { includeInherited: true }),
  )) as MemberReply | undefined;
  return member !== undefined && isActive(member) ? member.access_level : 0;
}

/** Everybody who is a member now, through groups too. */
export async function listMembers(
  client: GitLabClient,
  of: { project: string } | { group: string },
): Promise<ForgeMember[] | undefined> {
  const options = { includeInherited: true, perPage: 100 };
  const asked =
    "project" in of ? client.members.all(of.project, options) : client.groupMembers.all(of.group, options);
  const members = (await undefinedWhenMissing(asked)) as MemberReply[] | undefined;
  return members
    ?.filter(isActive)
    .map(({ username, access_level: accessLevel }) => ({ username, accessLevel }));
}

interface MemberReply {
  username: string;
  access_level: number;
  state?: string;
  membership_state?: string;
}

/** Neither a blocked account nor a membership that was not accepted yet. */
function isActive(member: MemberReply): boolean {
  return (member.state ?? "active") === "active" && (member.membership_state ?? "active") === "active";
}
