import { randomBytes } from "node:crypto";
import type { ForgeContext } from "../forge-context.ts";
import type { ProjectRecord, TokenRecord, UserRecord } from "../store/records.ts";
import { announceMember } from "../system-hooks/announce-member.ts";
import { createToken } from "../tokens/access-token.ts";
import { createUser } from "../users/create-user.ts";

export interface NewProjectToken {
  name: string;
  description?: string;
  scopes: string[];
  accessLevel: number;
  expiresOn?: string;
  creatorId: number;
}

/** Makes a token that is a member of this project only: it belongs to a bot user of its own. */
export async function createProjectToken(
  context: ForgeContext,
  project: ProjectRecord,
  wanted: NewProjectToken,
): Promise<{ record: TokenRecord; value: string }> {
  const { store, clock } = context;
  const username = `project_${project.id}_bot_${randomBytes(8).toString("hex")}`;
  const bot = await createUser(context, { username, name: wanted.name, botOfProject: project.id });
  const member = await store.members.insert((id) => ({
    id,
    source: "project",
    sourceId: project.id,
    userId: bot.id,
    accessLevel: wanted.accessLevel,
    createdAt: clock().toISOString(),
    createdById: wanted.creatorId,
    expiresOn: wanted.expiresOn ?? null,
  }));
  announceMember(context, "add", member);
  const token = {
    userId: bot.id,
    name: wanted.name,
    scopes: wanted.scopes,
    ...(wanted.description !== undefined && { description: wanted.description }),
    ...(wanted.expiresOn !== undefined && { expiresOn: wanted.expiresOn }),
  };
  return await createToken(store, token, { now: clock() });
}

/** The bots of a project's tokens; those of revoked tokens stay, since commits and statuses name them. */
export function botsOf(context: ForgeContext, projectId: number): UserRecord[] {
  return context.store.users.all().filter((user) => user.botOfProject === projectId);
}

export function projectTokens(context: ForgeContext, projectId: number): TokenRecord[] {
  return botsOf(context, projectId).flatMap((bot) => context.store.tokensByUser.all(String(bot.id)));
}

/** Ends the token, and what its bot could do. */
export async function revokeProjectToken(context: ForgeContext, token: TokenRecord): Promise<void> {
  const { store } = context;
  await store.tokens.update(token.id, { revoked: true });
  for (const member of store.membersByUser.all(String(token.userId))) {
    await store.members.remove(member.id);
    announceMember(context, "remove", member);
  }
}

/** Removes a bot with its tokens, once its project is gone. */
export async function removeBot(context: ForgeContext, bot: UserRecord): Promise<void> {
  const { store } = context;
  for (const token of store.tokensByUser.all(String(bot.id))) await store.tokens.remove(token.id);
  for (const member of store.membersByUser.all(String(bot.id))) await store.members.remove(member.id);
  await store.users.remove(bot.id);
  await store.namespaces.remove(bot.namespaceId);
}
