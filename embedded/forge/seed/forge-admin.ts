import { accessLevels } from "../access/access-level.ts";
import type { ForgeContext } from "../forge-context.ts";
import { createGroup } from "../groups/create-group.ts";
import { createProject } from "../projects/create-project.ts";
import type { NamespaceRecord, ProjectRecord, UserRecord, Visibility } from "../store/records.ts";
import { announceMember } from "../system-hooks/announce-member.ts";
import { createToken, hashToken } from "../tokens/access-token.ts";
import { createUser, type NewUser } from "../users/create-user.ts";
import { hashPassword } from "../users/password.ts";

export interface Seed {
  users?: NewUser[];
  /** Full paths. */
  groups?: string[];
  /** Full paths; the group or the user in front must be among those above. */
  projects?: { path: string; visibility?: Visibility }[];
  members?: { path: string; username: string; accessLevel: number }[];
  tokens?: { username: string; name: string; scopes: string[]; value: string }[];
}

/** Makes things be there, from within the process. Every call may be made again and then changes only what differs. */
export class ForgeAdmin {
  readonly #context: ForgeContext;

  constructor(context: ForgeContext) {
    this.#context = context;
  }

  async seed(seed: Seed): Promise<void> {
    for (const user of seed.users ?? []) await this.ensureUser(user);
    for (const path of seed.groups ?? []) await this.ensureGroup(path);
    for (const { path, ...options } of seed.projects ?? []) await this.ensureProject(path, options);
    for (const { path, username, accessLevel } of seed.members ?? []) {
      await this.ensureMember(path, username, accessLevel);
    }
    for (const { username, name, scopes, value } of seed.tokens ?? []) {
      await this.ensureToken(username, name, scopes, value);
    }
  }

  /** An existing user gets the name, rights and password asked for. */
  async ensureUser(wanted: NewUser): Promise<UserRecord> {
    const { store } = this.#context;
    const user = store.usersByName.first(wanted.username.toLowerCase());
    if (!user) return await createUser(this.#context, wanted);
    const password = wanted.password === undefined ? user.password : await hashPassword(wanted.password);
    return await store.users.update(user.id, {
      name: wanted.name,
      isAdmin: wanted.admin ?? user.isAdmin,
      password,
    });
  }

  /**
   * A token of this user under this name; the value is returned. With `value` it is that one. Without, a new one is
   * made each time and the one before is revoked, since a token cannot be read back.
   */
  async ensureToken(username: string, name: string, scopes: string[], value?: string): Promise<string> {
    const { store, clock } = this.#context;
    const user = this.#user(username);
    const current = store.tokensByUser
      .all(String(user.id))
      .filter((token) => token.name === name && !token.revoked);
    const same = value === undefined ? undefined : current.find((token) => token.hash === hashToken(value));
    for (const token of current) if (token !== same) await store.tokens.update(token.id, { revoked: true });
    if (same && value !== undefined) {
      if (same.scopes.join() !== scopes.join()) await store.tokens.update(same.id, { scopes });
      return value;
    }
    const options = { now: clock(), ...(value !== undefined && { value }) };
    return (await createToken(store, { userId: user.id, name, scopes }, options)).value;
  }

  /** The group at this full path, with the groups around it; new ones belong to the first administrator. */
  async ensureGroup(path: string, options: { visibility?: Visibility } = {}): Promise<NamespaceRecord> {
    const { store } = this.#context;
    const found = store.namespacesByPath.first(path.toLowerCase());
    if (found) return found;
    const cut = path.lastIndexOf("/");
    const parent = cut < 0 ? undefined : await this.ensureGroup(path.slice(0, cut), options);
    const name = path.slice(cut + 1);
    const creatorId = this.#creator().id;
    return await createGroup(this.#context, {
      path: name,
      name,
      creatorId,
      ...(parent && { parent }),
      ...(options.visibility && { visibility: options.visibility }),
    });
  }

  /** The project at `<group or user>/<path>`; the group is made where it is missing. */
  async ensureProject(
    path: string,
    options: { visibility?: Visibility; defaultBranch?: string } = {},
  ): Promise<ProjectRecord> {
    const { store } = this.#context;
    const found = store.projectsByPath.first(path.toLowerCase());
    if (found) return found;
    const cut = path.lastIndexOf("/");
    const namespace = await this.ensureGroup(path.slice(0, Math.max(cut, 0)));
    const name = path.slice(cut + 1);
    const creatorId = namespace.ownerId ?? this.#creator().id;
    return await createProject(this.#context, { namespace, path: name, name, creatorId, ...options });
  }

  /** Makes the user a member of the group or project at this full path, with this level. */
  async ensureMember(
    path: string,
    username: string,
    accessLevel: number = accessLevels.developer,
  ): Promise<void> {
    const { store, clock } = this.#context;
    const user = this.#user(username);
    const project = store.projectsByPath.first(path.toLowerCase());
    const holder = project ?? store.namespacesByPath.first(path.toLowerCase());
    if (!holder) throw new Error(`there is no group or project ${path}`);
    const source = project ? "project" : "group";
    const members = store.membersBySource.all(`${source}:${holder.id}`);
    const member = members.find((each) => each.userId === user.id);
    if (member) {
      const changed = await store.members.update(member.id, { accessLevel, expiresOn: null });
      if (changed.accessLevel !== member.accessLevel) announceMember(this.#context, "update", changed);
      return;
    }
    const added = await store.members.insert((id) => ({
      id,
      source,
      sourceId: holder.id,
      userId: user.id,
      accessLevel,
      createdAt: clock().toISOString(),
      createdById: this.#creator().id,
      expiresOn: null,
    }));
    announceMember(this.#context, "add", added);
  }

  #user(username: string): UserRecord {
    const user = this.#context.store.usersByName.first(username.toLowerCase());
    if (!user) throw new Error(`there is no user ${username}`);
    return user;
  }

  #creator(): UserRecord {
    const users = this.#context.store.users.all();
    const creator = users.find((user) => user.isAdmin) ?? users[0];
    if (!creator) throw new Error("make a user first");
    return creator;
  }
}
