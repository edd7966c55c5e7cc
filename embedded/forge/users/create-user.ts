import type { ForgeContext } from "../forge-context.ts";
import { rootPathProblem } from "../groups/namespace-path.ts";
import { ApiError, badRequest } from "../http/api-error.ts";
import type { UserRecord } from "../store/records.ts";
import { announceUser } from "../system-hooks/announce-user.ts";
import { hashPassword } from "./password.ts";

const minPasswordLength = 8; // GitLab's

export interface NewUser {
  username: string;
  name: string;
  email?: string;
  /** Without one the user signs in with tokens only. */
  password?: string;
  admin?: boolean;
  /** The project whose access token this user stands for. */
  botOfProject?: number;
}

/** Makes a user with a personal namespace. Throws `ApiError` 400 or 409 in GitLab's words. */
export async function createUser(context: ForgeContext, wanted: NewUser): Promise<UserRecord> {
  const { store, clock } = context;
  const problem = rootPathProblem(wanted.username);
  if (problem) throw badRequest({ username: [problem] });
  if (wanted.password !== undefined && wanted.password.length < minPasswordLength) {
    throw badRequest({ password: [`is too short (minimum is ${minPasswordLength} characters)`] });
  }
  const email = wanted.email ?? `${wanted.username}@${new URL(context.url).hostname}`;
  const password = wanted.password === undefined ? null : await hashPassword(wanted.password);
  // From here to the first insert nothing waits, so two equal names cannot both pass.
  if (store.namespacesByPath.first(wanted.username.toLowerCase()))
    throw taken("Username has already been taken");
  if (store.users.all().some((user) => user.email === email)) throw taken("Email has already been taken");
  const createdAt = clock().toISOString();
  const namespace = await store.namespaces.insert((id) => ({
    id,
    kind: "user",
    path: wanted.username,
    fullPath: wanted.username,
    name: wanted.name,
    description: "",
    parentId: null,
    ownerId: null,
    visibility: "public",
    createdAt,
  }));
  const user = await store.users.insert((id) => ({
    id,
    username: wanted.username,
    name: wanted.name,
    email,
    state: "active",
    isAdmin: wanted.admin ?? false,
    password,
    namespaceId: namespace.id,
    createdAt,
    ...(wanted.botOfProject !== undefined && { botOfProject: wanted.botOfProject }),
  }));
  await store.namespaces.update(namespace.id, { ownerId: user.id });
  announceUser(context, "create", user);
  return user;
}

function taken(message: string) {
  return new ApiError(409, { message });
}
