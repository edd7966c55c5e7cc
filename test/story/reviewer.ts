import type { Platform } from "./platform.ts";
import { until } from "./platform.ts";

export interface SeenNote {
  id: number;
  body: string;
  author: { username: string };
  resolvable: boolean;
  resolved?: boolean;
  position?: { new_path: string; new_line: number };
}

/** Somebody who works with merge requests through the Git host's API, as its pages do. */
export class Reviewer {
  readonly #platform: Platform;
  readonly #project: string;
  readonly #who: string;

  constructor(platform: Platform, project: string, who: string) {
    this.#platform = platform;
    this.#project = `/api/v4/projects/${encodeURIComponent(`dtaas/${project}`)}`;
    this.#who = who;
  }

  async ask<T = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${this.#platform.forgeUrl}${this.#project}${path}`, {
      method,
      headers: { "private-token": this.#platform.token(this.#who), "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === "" ? {} : JSON.parse(text)) as T;
  }

  async open(branch: string): Promise<number> {
    const body = { source_branch: branch, target_branch: "main", title: `Change of ${branch}` };
    return (await this.ask<{ iid: number }>("POST", "/merge_requests", body)).iid;
  }

  /** Proposes a branch of a fork to this project. */
  async openFromFork(forkId: number, branch: string, projectId: number): Promise<{ iid: number }> {
    const response = await fetch(`${this.#platform.forgeUrl}/api/v4/projects/${forkId}/merge_requests`, {
      method: "POST",
      headers: { "private-token": this.#platform.token(this.#who), "content-type": "application/json" },
      body: JSON.stringify({
        ...{ source_branch: branch, target_branch: "main", title: `Change of ${branch}` },
        target_project_id: projectId,
      }),
    });
    if (!response.ok) throw new Error(`fork: ${response.status} ${await response.text()}`);
    return (await response.json()) as { iid: number };
  }

  async discussions(iid: number): Promise<{ id: string; notes: SeenNote[] }[]> {
    const path = `/merge_requests/${iid}/discussions?per_page=100`;
    const all = await this.ask<{ id: string; notes: (SeenNote & { system: boolean })[] }[]>("GET", path);
    return all.map(({ id, notes }) => ({ id, notes: notes.filter(({ system }) => !system) }));
  }

  /** What the platform says outside of threads. */
  async comments(iid: number): Promise<string[]> {
    const first = (await this.discussions(iid)).flatMap(({ notes: [note] }) => note ?? []);
    return first
      .filter(({ author, resolvable }) => author.username === "dtaas-bot" && !resolvable)
      .map(({ body }) => body);
  }

  /** Threads that the platform has begun: where they stand, and whether they are resolved. */
  async threads(iid: number): Promise<{ at: string; resolved: boolean; body: string }[]> {
    const first = (await this.discussions(iid)).flatMap(({ notes: [note] }) => note ?? []);
    return first
      .filter(({ author, resolvable }) => author.username === "dtaas-bot" && resolvable)
      .map(({ position, resolved, body }) => ({
        at: `${position?.new_path}:${position?.new_line}`,
        resolved: resolved === true,
        body,
      }));
  }

  /** Says something; where it stands. */
  async say(iid: number, body: string): Promise<string> {
    const { id } = await this.ask<{ id: number }>("POST", `/merge_requests/${iid}/notes`, { body });
    const found = (await this.discussions(iid)).find(({ notes }) => notes.some((note) => note.id === id));
    return found?.id ?? "";
  }

  /** The platform's answer in a discussion that somebody began. */
  async answer(iid: number, discussion: string): Promise<string | undefined> {
    const found = (await this.discussions(iid)).find(({ id }) => id === discussion);
    return found?.notes.find(({ author }) => author.username === "dtaas-bot")?.body;
  }

  /** Waits for the plan of a commit to be told. */
  async planned(commit: string): Promise<{ status: string; description: string }> {
    let found: { name: string; status: string; description: string } | undefined;
    await until(`the plan of ${commit.slice(0, 8)} is told`, async () => {
      const all = await this.ask<(typeof found & object)[]>(
        "GET",
        `/repository/commits/${commit}/statuses?per_page=100`,
      );
      found = all.find(({ name }) => name === "dtaas/plan");
      return ["success", "failed"].includes(found?.status ?? "") || JSON.stringify(found);
    });
    if (!found) throw new Error("unreachable");
    return found;
  }

  async merge(iid: number, sha: string): Promise<void> {
    await this.ask("PUT", `/merge_requests/${iid}/merge`, { sha });
  }
}
