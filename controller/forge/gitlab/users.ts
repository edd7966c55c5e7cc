import { ActionNeededError } from "#core/errors";
import type { ForgeProject, ForgeUser } from "../forge.ts";
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

/** Access level on a project, through groups too; 0 for a stranger, a blocked account or a membership not yet accepted. */
export async function findAccessLevel(
  client: GitLabClient,
  project: ForgeProject,
  userId: number,
): Promise<number> {
  const member = (await undefinedWhenMissing(
    client.members.show(project.id, userId, { includeInherited: true }),
  )) as { access_level: number; state?: string; membership_state?: string } | undefined;
  if (member === undefined) return 0;
  if ((member.state ?? "active") !== "active") return 0;
  return (member.membership_state ?? "active") === "active" ? member.access_level : 0;
}
