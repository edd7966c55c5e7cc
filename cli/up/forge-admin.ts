import { ActionNeededError } from "#core/errors";

const answerMs = 15_000;

/** GitLab's access levels, as far as seeding needs them. */
export const access = { reporter: 20, developer: 30, maintainer: 40 } as const;

export interface SeededProject {
  id: number;
  path: string;
  isEmpty: boolean;
  /** For `git clone` and `git push`. */
  gitUrl: string;
}

/** The few administrator's calls that seeding makes, each of which makes what is missing and leaves what is there. */
export class ForgeAdmin {
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  async ensureUser(username: string, name: string, password: string): Promise<number> {
    const found = await this.#list("GET", `/users?username=${encodeURIComponent(username)}`);
    const id = found[0]?.["id"];
    if (typeof id === "number") return id;
    const email = `${username}@users.invalid`;
    const body = { username, name, email, password, skip_confirmation: true };
    return idOf(await this.#call("POST", "/users", body));
  }

  /** The user that a token belongs to, or `undefined` when it is no longer good. */
  async whoIs(token: string): Promise<number | undefined> {
    const response = await this.#fetch("GET", "/user", undefined, token);
    return response.ok ? idOf(await response.json()) : undefined;
  }

  async createToken(userId: number, name: string, scopes: string[]): Promise<string> {
    const expires = new Date(Date.now() + 364 * 24 * 3600 * 1000).toISOString().slice(0, 10); // GitLab's longest
    const body = { name, scopes, expires_at: expires };
    const created = await this.#call("POST", `/users/${userId}/personal_access_tokens`, body);
    const token = (created as { token?: unknown }).token;
    if (typeof token !== "string") throw new Error("the forge made a token and did not tell it");
    return token;
  }

  async ensureGroup(path: string): Promise<number> {
    const response = await this.#fetch("GET", `/groups/${encodeURIComponent(path)}`);
    if (response.ok) return idOf(await response.json());
    return idOf(await this.#call("POST", "/groups", { name: path, path, visibility: "private" }));
  }

  async ensureProject(groupId: number, path: string, name: string): Promise<SeededProject> {
    const response = await this.#fetch("GET", `/projects/${encodeURIComponent(path)}`);
    const project = response.ok
      ? await response.json()
      : await this.#call("POST", "/projects", {
          name,
          path: name,
          namespace_id: groupId,
          visibility: "private",
          default_branch: "main",
        });
    const {
      empty_repo: isEmpty,
      default_branch: branch,
      http_url_to_repo: gitUrl,
    } = project as Record<string, unknown>;
    if (typeof gitUrl !== "string") throw new Error(`the forge did not say where ${path} can be cloned`);
    return { id: idOf(project), path, isEmpty: isEmpty === true || branch === null, gitUrl };
  }

  /** `of` is `groups/<id>` or `projects/<id>`. Somebody who is a member already keeps the level he has. */
  async ensureMember(of: string, userId: number, level: number): Promise<void> {
    const found = await this.#fetch("GET", `/${of}/members/${userId}`);
    if (found.ok) return;
    await this.#call("POST", `/${of}/members`, { user_id: userId, access_level: level });
  }

  /** A CI/CD variable of a group, which jobs of all its projects see; one that somebody has set stays. */
  async ensureGroupVariable(groupId: number, key: string, value: string): Promise<void> {
    const found = await this.#fetch("GET", `/groups/${groupId}/variables/${key}`);
    if (!found.ok) await this.#call("POST", `/groups/${groupId}/variables`, { key, value, raw: true });
  }

  async removeMember(of: string, userId: number): Promise<void> {
    const response = await this.#fetch("DELETE", `/${of}/members/${userId}`);
    if (!response.ok && response.status !== 404) await this.#refused(response, "DELETE", `/${of}/members`);
  }

  /** One hook of this address, for everything that comes, goes and changes in the whole forge; others stay. */
  async ensureSystemHook(url: string, token: string): Promise<void> {
    const [found] = (await this.#list("GET", "/hooks?per_page=100")).filter((hook) => hook["url"] === url);
    const body = { url, token, push_events: false, repository_update_events: false };
    await (found ? this.#call("PUT", `/hooks/${idOf(found)}`, body) : this.#call("POST", "/hooks", body));
  }

  /**
   * A program that lets people sign in with the forge, at this address only; users are not asked whether they agree. The one that is
   * known is kept as long as it is as wanted; its secret cannot be read back.
   */
  async ensureApplication(
    wanted: { name: string; redirectUri: string; scopes: string },
    known: { clientId: string; secret: string } | undefined,
  ): Promise<{ clientId: string; secret: string }> {
    for (const found of await this.#list("GET", "/applications?per_page=100")) {
      if (found["application_name"] !== wanted.name) continue;
      const isSame =
        found["application_id"] === known?.clientId && found["callback_url"] === wanted.redirectUri;
      if (isSame && known) return known;
      await this.#fetch("DELETE", `/applications/${idOf(found)}`);
    }
    const { name, redirectUri: redirect_uri, scopes } = wanted;
    const body = { name, redirect_uri, scopes, confidential: true, trusted: true };
    const made = (await this.#call("POST", "/applications", body)) as {
      application_id?: unknown;
      secret?: unknown;
    };
    if (typeof made.application_id !== "string" || typeof made.secret !== "string") {
      throw new Error("the forge made an application and did not tell its secret");
    }
    return { clientId: made.application_id, secret: made.secret };
  }

  /** Names of all who may push to a project of this group. */
  async pushers(group: string): Promise<string[]> {
    const projects = await this.#list("GET", `/groups/${encodeURIComponent(group)}/projects?per_page=100`);
    const names = new Set<string>();
    for (const project of projects) {
      for (const member of await this.#list("GET", `/projects/${idOf(project)}/members/all?per_page=100`)) {
        if (Number(member["access_level"]) >= access.developer) names.add(String(member["username"]));
      }
    }
    return [...names].sort();
  }

  async #list(method: string, path: string): Promise<Record<string, unknown>[]> {
    const value = await this.#call(method, path);
    return Array.isArray(value) ? value : [];
  }

  async #call(method: string, path: string, body?: object): Promise<unknown> {
    const response = await this.#fetch(method, path, body);
    if (response.ok) return response.json();
    return await this.#refused(response, method, path);
  }

  async #refused(response: Response, method: string, path: string): Promise<never> {
    const text = (await response.text()).slice(0, 300);
    throw new ActionNeededError(
      "FORGE_REFUSED",
      `the forge answered ${response.status} to ${method} ${path}: ${text}`,
      {
        hint: "see the forge's log in <data>/logs/forge.log",
      },
    );
  }

  #fetch(method: string, path: string, body?: object, token = this.#token): Promise<Response> {
    return fetch(`${this.#url}/api/v4${path}`, {
      method,
      headers: { "private-token": token, ...(body && { "content-type": "application/json" }) },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(answerMs),
    });
  }
}

function idOf(value: unknown): number {
  const id = (value as { id?: unknown } | null)?.id;
  if (typeof id !== "number") throw new Error("the forge's answer has no id");
  return id;
}
